"""Sites that offer picture and sound apart: what their tracks hold is never read but by a confined worker."""

import importlib.util
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest

from curation.fetch.cage import CAGES
from curation.fetch.download import fetch
from curation.fetch.failures import FetchFailure
from curation.fetch.settings import FetchSettings
from curation.outcomes import Outcome
from shards.ffmpeg import ffmpeg_binary
from tests.curation.hostile import write
from tests.curation.odd_films import Sound, film
from tests.curation.test_join import PLAYLIST, endless

spec = importlib.util.spec_from_file_location("fetch_server", Path(__file__).with_name("fetch_server.py"))
web = importlib.util.module_from_spec(spec)
sys.modules["fetch_server"] = web
spec.loader.exec_module(web)

NAME = "0123456789abcdef0123"


@pytest.fixture(scope="module")
def server():
    with web.serve() as running:
        yield running


@pytest.fixture(scope="module")
def tracks(tmp_path_factory):
    """The bytes of a picture track and of a sound track."""
    folder = tmp_path_factory.mktemp("tracks")
    film = write(folder / "film.mp4")
    for name, kind in (("picture.mp4", "0:v"), ("sound.m4a", "0:a")):
        command = [ffmpeg_binary(), "-v", "error", "-i", film, "-map", kind, "-c", "copy", "-movflags", "+faststart"]
        subprocess.run([*map(str, command), str(folder / name)], check=True, timeout=60)
    return {"picture": (folder / "picture.mp4").read_bytes(), "sound": (folder / "sound.m4a").read_bytes()}


@pytest.fixture
def offer(server):
    """The link of a page that offers two tracks, as answers of the server."""

    def page(folder, picture, sound):
        server.link(f"/{folder}/picture.mp4", picture)
        server.link(f"/{folder}/sound.m4a", sound)
        sets = "".join(
            f'<AdaptationSet mimeType="{kind}/mp4"><Representation id="{name}" bandwidth="1" codecs="{codec}" {size}>'
            f"<BaseURL>{name}</BaseURL></Representation></AdaptationSet>"
            for kind, name, codec, size in (
                ("video", "picture.mp4", "avc1.64000a", 'width="64" height="48"'),
                ("audio", "sound.m4a", "mp4a.40.2", 'audioSamplingRate="48000"'),
            )
        )
        head = '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT2S">'
        manifest = f'<?xml version="1.0"?>{head}<Period>{sets}</Period></MPD>'
        return server.link(f"/{folder}/film.mpd", web.body(manifest.encode(), "application/dash+xml"))

    return page


@pytest.fixture
def get(tmp_path):
    def fetch_it(link, **settings):
        chosen = FetchSettings(**{"allow_loopback": True, "timeout_s": 3, "retries": 0, **settings})
        return fetch(link, into=tmp_path, name=NAME, settings=chosen)

    return fetch_it


def test_tracks_are_joined_and_nothing_else_is_left(offer, get, tracks, tmp_path):
    got = get(offer("honest", web.body(tracks["picture"]), web.body(tracks["sound"])))
    assert [path.name for path in tmp_path.iterdir()] == [f"{NAME}.mkv"] == [got.path.name]
    with av.open(str(got.path)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 50
    again = got.path.read_bytes()
    got.path.unlink()
    assert get(offer("honest", web.body(tracks["picture"]), web.body(tracks["sound"]))).path.read_bytes() == again


def test_a_track_that_gives_way_as_they_are_joined_is_told(offer, get, tracks, tmp_path_factory):
    odd = film(tmp_path_factory.mktemp("odd") / "odd.mkv", Sound(codec="wavpack"), Sound()).read_bytes()
    got = get(offer("odd", web.body(tracks["picture"]), web.body(odd)))
    assert "sound track 0 was passed over for track 1: codec_not_allowed" in got.metadata.joined
    assert get(offer("plain", web.body(tracks["picture"]), web.body(tracks["sound"]))).metadata.joined == ""


def test_no_program_is_started(offer, get, tracks, tmp_path, monkeypatch):
    """A program of each name that yt-dlp knows writes down what it is asked for, and does it."""
    told, real = tmp_path.parent / f"{tmp_path.name}-told", ffmpeg_binary()
    program = tmp_path.parent / f"{tmp_path.name}-bin" / "ffmpeg"
    program.parent.mkdir()
    for name in ("ffmpeg", "ffprobe", "deno", "node", "bun", "qjs", "phantomjs", "aria2c", "curl", "rtmpdump"):
        script = program.with_name(name)
        script.write_text(f'#!/bin/sh\necho "$0 $@" >> {told}\nexec {real} "$@"\n')
        script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("CLAPBOARD_FFMPEG", str(program))
    CAGES.close()
    try:
        get(offer("watched", web.body(tracks["picture"]), web.body(tracks["sound"])))
    finally:
        CAGES.close()
    assert not told.exists(), told.read_text()


HOSTILE = {
    "truncated": (lambda data: data[: len(data) // 2], Outcome.TRUNCATED),
    "a playlist": (lambda data: PLAYLIST.encode(), Outcome.NOT_A_VIDEO),
    "empty": (lambda data: b"", Outcome.EMPTY_FILE),
    "endless packets": (lambda data: endless(data, frames=100_000, size=1_000_000) + bytes(1 << 20), Outcome.TOO_LARGE),
    "another container's head": (lambda data: b"\x1aE\xdf\xa3" + bytes(5000), Outcome.NOT_A_VIDEO),
}


@pytest.mark.parametrize("side", ["picture", "sound"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_track_ends_with_an_outcome_and_leaves_nothing(offer, get, tracks, tmp_path, name, side):
    spoil, outcome = HOSTILE[name]
    answers = {one: web.body(spoil(data) if one == side else data) for one, data in tracks.items()}
    with pytest.raises(FetchFailure) as caught:
        get(offer(f"{name}-{side}".replace(" ", "-").replace("'", ""), **answers), max_bytes=20_000_000)
    assert caught.value.outcome is outcome, caught.value.detail
    assert not [path for path in tmp_path.iterdir() if path.suffix not in (".part", ".ytdl")]


def test_a_track_that_is_sent_without_end_stops_at_the_limit(offer, get, server, tracks, tmp_path):
    link = offer("endless", web.body(tracks["picture"]), web.endless(tracks["sound"], server))
    with pytest.raises(FetchFailure) as caught:
        get(link, max_bytes=500_000)
    assert caught.value.outcome is Outcome.TOO_LARGE
    assert list(tmp_path.iterdir()) == []


def test_joining_ends_at_the_fetchs_own_deadline(offer, get, tracks, tmp_path):
    """Two million packets are within every other limit."""
    bomb = endless(tracks["sound"], frames=2_000_000, size=100) + bytes(2_000)
    begun = time.perf_counter()
    with pytest.raises(FetchFailure) as caught:
        get(offer("slow", web.body(tracks["picture"]), web.body(bomb)), deadline_s=2, max_bytes=10**12)
    assert caught.value.outcome is Outcome.TIMED_OUT, caught.value.detail
    assert list(tmp_path.iterdir()) == []
    assert time.perf_counter() - begun < 60
