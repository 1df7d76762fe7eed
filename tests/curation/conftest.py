"""What the tests of the review page share: a tiny film, two flagged clips, and two browsers."""

import re
import shutil
import uuid

import av
import numpy as np
import pytest
from sqlalchemy import create_engine, make_url, text
from starlette.testclient import TestClient

from bench.postgres import binaries, postgres_server
from curation.decide.policy import Band
from curation.home.folder import Home
from curation.ledger.open import open_ledger
from curation.ledger.tables import ClipRow, SourceEntry, Video
from curation.media.sandbox import MediaWorkers
from curation.media.settings import CutSettings
from curation.review.access import OneTimeLink
from curation.review.app import create_app
from curation.review.media import CutMedia
from curation.review.queue import enrol
from curation.settings.review import ReviewSettings

TOKEN = "a-token-of-this-test"
BASE = "http://127.0.0.1"
HOSTILE = '<script>alert("x")</script> & <img src=x onerror=alert(1)>'
FIRST, SECOND = "a" * 40, "b" * 40
SCORES = {
    FIRST: {"p_in_sync": 0.1, "offset_s": -0.12, "where_x": None, "where_y": None, "where_side": None},
    SECOND: {"p_in_sync": 0.62, "offset_s": -0.12, "where_x": 0.5, "where_y": 0.25, "where_side": 0.25},
}


@pytest.fixture(scope="session")
def film(tmp_path_factory):
    return _write_film(tmp_path_factory.mktemp("review") / "film.mp4")


@pytest.fixture(scope="session")
def ledger_file(tmp_path_factory):
    """A ledger without rows, to be copied: migrating is slower than a test."""
    home = Home(tmp_path_factory.mktemp("empty"))
    with home.ledger():
        pass
    return home.root / "ledger.sqlite"


@pytest.fixture(scope="session")
def postgres():
    """The URL of an empty PostgreSQL server."""
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed (no initdb)")
    with postgres_server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request, tmp_path):
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    server = make_url(request.getfixturevalue("postgres"))
    name = f"ledger_{uuid.uuid4().hex}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def any_ledger(ledger_url):
    """An open ledger, once on SQLite and once on PostgreSQL."""
    with open_ledger(ledger_url) as ledger:
        yield ledger


@pytest.fixture
def empty_ledger(tmp_path, ledger_file):
    shutil.copy(ledger_file, tmp_path)
    with Home(tmp_path).ledger() as ledger:
        yield ledger


@pytest.fixture
def review_ledger(empty_ledger, film):
    with empty_ledger.session() as session:
        for clip_id, caption, p_good, link in (
            (FIRST, HOSTILE, 0.5, "javascript:alert(1)"),
            (SECOND, "a dog barks", 0.7, 'https://example.org/v?a=1&b="2"'),
        ):
            video_id = f"video-{p_good}"
            session.add(Video(id=video_id, link=link, local=False, path=str(film), cuts_us=[]))
            session.add(
                SourceEntry(
                    id=f"row-{p_good}", table_name="t", row=1, video_id=video_id, caption=caption, label="dog",
                    licence="CC BY 4.0", outcome="ok", detail="",
                )
            )  # fmt: skip
            session.flush()
            session.add(
                ClipRow(
                    id=clip_id, video_id=video_id, source_id=f"row-{p_good}", start_us=500_000, end_us=2_500_000,
                    band=Band.REVIEW, reasons=["weak_synchrony"], p_good=p_good, policy="p", audit=False,
                    scores=SCORES[clip_id], current=True, cut=None,
                )
            )  # fmt: skip
    return empty_ledger


@pytest.fixture(scope="session")
def media_workers():
    """Confined decoders and cutters, started once."""
    with MediaWorkers(count=1) as workers:
        yield workers


@pytest.fixture
def media(review_ledger, tmp_path, media_workers):
    """The previews of the two clips; the second one's video is gone."""
    with review_ledger.session() as session:
        session.get_one(Video, "video-0.7").path = str(tmp_path / "gone.mp4")
    return CutMedia(review_ledger, home=Home(tmp_path), settings=CutSettings(), workers=media_workers)


@pytest.fixture
def review_settings():
    """No lots: the queue is in order of value."""
    return ReviewSettings(audit_mix=0, golden_mix=0, double_share=0)


@pytest.fixture
def stranger(review_ledger, media, review_settings):
    """A browser that has not opened the link."""
    enrol(review_ledger, review_settings)
    app = create_app(review_ledger, media=media, access=OneTimeLink(TOKEN, "ada"), settings=review_settings)
    return TestClient(app, base_url=BASE, follow_redirects=False)


@pytest.fixture
def browser(stranger):
    """A browser that has, with what its page sends along."""
    assert stranger.get("/enter", params={"token": TOKEN}).status_code == 303
    page = stranger.get("/").text
    stranger.headers["X-Clapboard-Token"] = re.search(r'name="form-token" content="([^"]+)"', page)[1]
    stranger.headers["Sec-Fetch-Site"] = "same-origin"
    return stranger


def _write_film(path, *, seconds=3, fps=24, rate_hz=16_000):
    with av.open(str(path), "w") as out:
        video, audio = out.add_stream("libx264", rate=fps), out.add_stream("aac", rate=rate_hz, layout="mono")
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for number in range(seconds * fps):
            picture = np.full((48, 64, 3), number * 3, np.uint8)
            out.mux(video.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        out.mux(video.encode(None))
        noise = np.random.default_rng(0).uniform(-0.5, 0.5, (1, seconds * rate_hz)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(noise, format="fltp", layout="mono")
        frame.sample_rate = rate_hz
        out.mux(audio.encode(frame))
        out.mux(audio.encode(None))
    return path
