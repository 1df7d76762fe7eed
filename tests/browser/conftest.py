"""A real browser before a real server: Chromium, and `clapboard review serve` on a home with clips of a drawn film."""

import os
import shutil
import signal
import subprocess
import sys

import pytest

from curation.clips import clip_id
from curation.decide.policy import Band
from curation.home.folder import Home
from curation.ledger.tables import ClipRow, SourceEntry, Video
from training.world import FilmSpec, draw, write_film

CLIPS = 24
CLIP_US, HOP_US = 2_000_000, 250_000
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SCORES = {
    "p_in_sync": 0.62, "offset_s": -0.04, "offset_confidence": 0.9,
    "where_x": 0.25, "where_y": 0.625, "where_side": 0.25,
}  # fmt: skip
RECIPE = "review: {audit_mix: 0, golden_mix: 0, double_share: 0}\n"
# A test is no user: sound may play before the first key, and nothing is asked of the outside.
SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # Names that are not this machine's: what browsers keep from pages without https is kept from the first, and the
    # second was made to lead here by somebody else.
    "--host-resolver-rules=MAP reviews.example 127.0.0.1, MAP evil.example 127.0.0.1",
)


@pytest.fixture(scope="module")
def chromium():
    """A browser that tests drive; closed behind them, since a page that plays films slows down every later test."""
    found = os.environ.get("CLAPBOARD_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no Chromium here: apt-get install chromium, or name one with CLAPBOARD_CHROMIUM")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(SWITCHES))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def film(tmp_path_factory):
    """One film of which all clips are parts."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    seconds = (CLIPS * HOP_US + CLIP_US) / 1e6 + 0.5
    write_film(draw(FilmSpec(scene="hammering_anvil", seed=3, duration_s=seconds, width_px=160, height_px=120)), path)
    return path


@pytest.fixture
def home(tmp_path, film):
    """A home in which every clip waits for a person, the first one's answer worth most."""
    place = Home(tmp_path / "home")
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
    return place


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
