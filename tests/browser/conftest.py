"""A real browser before a real server: Chromium, and `clapboard review serve` on a home with clips of a drawn film."""

import shutil
import signal
import subprocess
import sys

import pytest

from curation.clips import clip_id
from curation.decide.policy import Band
from curation.home.folder import Home
from curation.ledger.tables import ClipRow, SourceEntry, Video
from curation.media.sandbox import MediaWorkers
from curation.review.media import CutMedia
from curation.settings.recipe import Recipe
from tests.browsing import chromium  # noqa: F401 (a fixture)
from training.world import FilmSpec, draw, write_film

CLIPS = 24
CLIP_US, HOP_US = 2_000_000, 250_000
SCORES = {
    "p_in_sync": 0.62, "offset_s": -0.04, "offset_confidence": 0.9,
    "where_x": 0.25, "where_y": 0.625, "where_side": 0.25,
}  # fmt: skip
RECIPE = "review: {audit_mix: 0, golden_mix: 0, double_share: 0}\n"


@pytest.fixture(scope="session")
def film(tmp_path_factory):
    """One film of which all clips are parts."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    seconds = (CLIPS * HOP_US + CLIP_US) / 1e6 + 0.5
    write_film(draw(FilmSpec(scene="hammering_anvil", seed=3, duration_s=seconds, width_px=160, height_px=120)), path)
    return path


@pytest.fixture(scope="session")
def waiting(tmp_path_factory, film):
    """A home in which every clip is cut and waits for a person, the first one's answer worth most; to be copied."""
    place = Home(tmp_path_factory.mktemp("waiting") / "home")
    with place.ledger() as ledger, ledger.session() as session:
        session.add(Video(id="v", link="https://example.org/v", local=False, path=str(film), cuts_us=[]))
        session.flush()
        for at in range(CLIPS):
            start, end = at * HOP_US, at * HOP_US + CLIP_US
            session.add(
                SourceEntry(
                    id=f"s{at}", table_name="t", row=at, video_id="v", caption=f"a hammer, take {at}", label="hammer",
                    licence="CC0", outcome="ok", detail="",
                )
            )  # fmt: skip
            session.flush()
            session.add(
                ClipRow(
                    id=clip_id("v", start, end), video_id="v", source_id=f"s{at}", start_us=start, end_us=end,
                    band=Band.REVIEW, policy="p", reasons=["weak_synchrony"], p_good=0.5 + at / 100, audit=False,
                    scores=SCORES, current=True, cut=None,
                )
            )  # fmt: skip
    (place.root / "recipe.yaml").write_text(RECIPE)
    with place.ledger() as ledger, MediaWorkers(count=1) as workers:
        media = CutMedia(ledger, home=place, settings=Recipe().cut, workers=workers)
        for at in range(CLIPS):
            assert media.curves(clip_id("v", at * HOP_US, at * HOP_US + CLIP_US))
    return place


@pytest.fixture
def home(tmp_path, waiting):
    """Such a home for one test."""
    shutil.copytree(waiting.root, tmp_path / "home")
    return Home(tmp_path / "home")


@pytest.fixture
def served(home):
    """Starts the page; returns what it announces. Ended with the signal that Ctrl-C sends."""
    running = []

    def start(*arguments):
        clapboard = [sys.executable, "-c", "from flows.cli import main; main()"]
        command = [*clapboard, "review", "serve", "--home", str(home.root), "--port", "0"]
        command += ["--recipe", str(home.root / "recipe.yaml"), "--reviewer", "ada", *arguments]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        running.append(server)
        return server.stdout.readline().split()[1]

    yield start
    for server in running:
        server.send_signal(signal.SIGINT)
        server.wait(60)
        server.stdout.close()
