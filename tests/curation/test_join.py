"""Tracks that came apart: joined as they are, in step, in a confined worker; hostile ones end with an outcome."""

import random
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest

from bench import flash
from curation.media.failures import MediaFailure
from curation.media.join import join
from curation.media.sandbox import MediaWorkers
from curation.media.settings import SandboxSettings
from curation.outcomes import Outcome
from shards.ffmpeg import ffmpeg_binary
from tests.curation.hostile import boxes

MOST = 50_000_000
BROADCAST = ("-output_ts_offset", "10", "-muxdelay", "0", "-muxpreload", "0")
"""A clock that does not begin with the film, as in HLS."""

PICTURES = {
    "mp4": ("-c:v", "copy", "-movflags", "+faststart"),
    "ts": ("-c:v", "copy", *BROADCAST),
    "webm": ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"),
}
SOUNDS = {
    "m4a": ("-c:a", "copy", "-movflags", "+faststart"),
    "webm": ("-c:a", "libopus"),
    "ts": ("-c:a", "copy", *BROADCAST),
    "aac": ("-c:a", "copy"),
    "mp3": ("-c:a", "libmp3lame"),
    "flac": ("-c:a", "flac"),
    "wav": ("-c:a", "pcm_s16le"),
}


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Flashes and clicks at the same instants."""
    return flash.make(flash.Film("libx264", "aac", "mp4", seconds=4.0), tmp_path_factory.mktemp("film"))


@pytest.fixture(scope="module")
def tracks(film, tmp_path_factory):
    """Each track of the film in every container that sites use, by ending."""
    folder = tmp_path_factory.mktemp("tracks")
    pictures = {one: ffmpeg("-i", film, "-an", *how, folder / f"picture.{one}") for one, how in PICTURES.items()}
    sounds = {one: ffmpeg("-i", film, "-vn", *how, folder / f"sound.{one}") for one, how in SOUNDS.items()}
    return pictures, sounds


@pytest.fixture(scope="module")
def workers():
    with MediaWorkers(count=1, settings=SandboxSettings(deadline_s=30, cpu_s=30, memory_gib=2)) as pool:
        yield pool


def ffmpeg(*arguments) -> Path:
    subprocess.run([ffmpeg_binary(), "-v", "error", "-y", *map(str, arguments)], check=True, timeout=60)
    return arguments[-1]


def offset_ms(path) -> float:
    found = flash.offsets_ms(flash.events(path))
    assert len(found) >= 3
    return float(np.median(list(found.values())))


@pytest.mark.parametrize("sound", SOUNDS)
@pytest.mark.parametrize("picture", PICTURES)
def test_tracks_of_any_kind_are_joined_in_step(film, tracks, tmp_path, picture, sound):
    # What a codec itself delays a sound by is its own. (The Matroska of FFmpeg 5 has Opus too early by its pre-skip.)
    whole = tmp_path / ("whole.mp4" if sound == "webm" else "whole.mkv")
    heard = offset_ms(ffmpeg("-i", film, *SOUNDS[sound][:2], "-c:v", "copy", whole))
    made = join(tracks[0][picture], tracks[1][sound], into=tmp_path / "joined", most_bytes=MOST)
    assert made.pictures == 100
    # Where there is no clock in common, an encoder's delay cannot be told from sound.
    allowed = 60 if sound in ("aac", "mp3") or (picture == "ts") != (sound == "ts") else 3
    assert abs(offset_ms(tmp_path / "joined") - heard) < allowed


def test_opus_as_sites_offer_it_is_joined_to_the_millisecond(film, tmp_path):
    """A WebM whose first block lies at zero and whose pre-skip of 312 samples is told beside it."""
    sound = ffmpeg("-i", film, "-vn", "-c:a", "libopus", tmp_path / "sound.webm")
    with av.open(str(sound)) as container:
        assert next(container.demux()).pts == -7 and container.streams.audio[0].codec_context.extradata[10:12] == b"8\1"
    picture = ffmpeg("-i", film, "-an", "-c", "copy", tmp_path / "picture.mp4")
    join(picture, sound, into=tmp_path / "joined", most_bytes=MOST)
    assert abs(offset_ms(tmp_path / "joined") - offset_ms(film)) < 1


def test_no_packet_is_changed_and_equal_tracks_give_equal_bytes(tracks, tmp_path):
    picture, sound = tracks[0]["mp4"], tracks[1]["m4a"]
    for name in ("one", "two"):
        join(picture, sound, into=tmp_path / name, most_bytes=MOST)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert packets(tmp_path / "one", "video") == packets(picture, "video")
    assert packets(tmp_path / "one", "audio") == packets(sound, "audio")


def packets(path, kind):
    with av.open(str(path)) as container:
        return [bytes(one) for one in container.demux(getattr(container.streams, kind)[0]) if one.size]


def test_tracks_keep_their_distance_on_the_clock_that_they_share(film, tmp_path):
    """A sound that begins 0.3 s into the picture is not moved to its beginning."""
    late = ffmpeg("-ss", "0.3", "-i", film, "-vn", "-c:a", "flac", "-output_ts_offset", "0.3", tmp_path / "late.mkv")
    picture = ffmpeg("-i", film, "-an", "-c", "copy", tmp_path / "picture.mp4")
    join(picture, late, into=tmp_path / "joined", most_bytes=MOST)
    assert abs(offset_ms(tmp_path / "joined") - offset_ms(film)) < 5


def test_clocks_that_have_nothing_in_common_begin_together(film, tmp_path):
    far = ffmpeg("-i", film, "-vn", "-c", "copy", "-output_ts_offset", "1000", tmp_path / "far.mkv")
    picture = ffmpeg("-i", film, "-an", "-c", "copy", tmp_path / "picture.mp4")
    join(picture, far, into=tmp_path / "joined", most_bytes=MOST)
    assert abs(offset_ms(tmp_path / "joined") - offset_ms(film)) < 30
    with av.open(str(tmp_path / "joined")) as container:
        assert container.duration / 1e6 == pytest.approx(4, abs=0.2)


# --- hostile tracks


PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"


def endless(film: bytes, *, frames: int, size: int) -> bytes:
    """An MP4 whose index lists the same bytes again and again: a small file that is a hundred gigabytes of packets."""
    tables = {
        b"stts": (1).to_bytes(4) + frames.to_bytes(4) + (512).to_bytes(4),
        b"stsz": size.to_bytes(4) + frames.to_bytes(4),
        b"stsc": (1).to_bytes(4) + (1).to_bytes(4) * 3,
        b"stco": frames.to_bytes(4) + (48).to_bytes(4) * frames,
    }

    def rebuilt(data: bytes) -> bytes:
        out = b""
        for kind, start, end in boxes(data):
            inside = data[start + 8 : end]
            if kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
                inside = rebuilt(inside)
            elif kind in tables:
                inside = bytes(4) + tables[kind]
            elif kind in (b"ctts", b"stss", b"edts", b"sgpd", b"sbgp"):
                continue
            out += (len(inside) + 8).to_bytes(4) + kind + inside
        return out

    return rebuilt(film)


def hostile(name: str, honest: bytes) -> bytes:
    chance = random.Random(1)
    noisy = bytearray(honest)
    for _ in range(2000):
        noisy[chance.randrange(40, len(noisy))] = chance.randrange(256)
    return {
        "empty": b"",
        "truncated": honest[: len(honest) // 2],
        "nearly whole": honest[:-100],
        "a playlist": PLAYLIST.encode(),
        "a script of files": b"ffconcat version 1.0\nfile /etc/passwd\n",
        "a page": b"<!doctype html>" * 50,
        "a tag that never ends": b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + bytes(300),
        "noise behind a frame of sound": b"\xff\xf1" + chance.randbytes(5000),
        "full of noise": bytes(noisy),
        "endless": endless(honest, frames=100_000, size=1_000_000) + bytes(1_000_000),
    }[name]


REFUSED = {Outcome.TRUNCATED, Outcome.NOT_A_VIDEO, Outcome.DECODE_FAILED, Outcome.NO_VIDEO, Outcome.NO_AUDIO}
HOSTILE = {
    "empty": {Outcome.EMPTY_FILE},
    "truncated": {Outcome.TRUNCATED},
    "nearly whole": {Outcome.TRUNCATED},
    "a playlist": {Outcome.NOT_A_VIDEO},
    "a script of files": {Outcome.NOT_A_VIDEO},
    "a page": {Outcome.NOT_A_VIDEO},
    "a tag that never ends": REFUSED,
    "noise behind a frame of sound": REFUSED | {Outcome.UNKNOWN_CODEC, Outcome.OK},
    "full of noise": REFUSED | {Outcome.UNKNOWN_CODEC, Outcome.TOO_LARGE, Outcome.OK},
    "endless": {Outcome.TOO_LARGE},
}


@pytest.mark.parametrize("side", ["picture", "sound"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_track_ends_with_its_outcome(tracks, workers, tmp_path, name, side):
    pair = {"picture": tracks[0]["mp4"], "sound": tracks[1]["m4a"]}
    bad = tmp_path / f"bad-{side}"
    bad.write_bytes(hostile(name, pair[side].read_bytes()))
    pair[side] = bad
    try:
        workers.join(pair["picture"], pair["sound"], into=tmp_path / "joined", most_bytes=MOST)
        outcome = Outcome.OK
    except MediaFailure as failure:
        outcome = failure.outcome
    assert outcome in HOSTILE[name]
    assert not (tmp_path / "joined").exists() or (tmp_path / "joined").stat().st_size <= MOST * 1.1


@pytest.mark.parametrize("share", [0.5, 0.8])
@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_a_stream_that_ends_too_early_is_truncated(film, tracks, tmp_path, ending, share):
    """Fragments and clusters have no index that says how long the file ought to be."""
    fragments = ("-movflags", "frag_keyframe+empty_moov+default_base_moof") if ending == "mp4" else ()
    whole = ffmpeg("-i", film, "-an", "-c", "copy", *fragments, tmp_path / f"stream.{ending}").read_bytes()
    # A Matroska file ends with its index of keyframes; it is the pictures that are to be cut.
    media = whole[: whole.rindex(b"\x1c\x53\xbb\x6b")] if ending == "mkv" else whole
    (tmp_path / "torn").write_bytes(media[: int(len(media) * share)])
    with pytest.raises(MediaFailure) as failure:
        join(tmp_path / "torn", tracks[1]["m4a"], into=tmp_path / "joined", most_bytes=MOST)
    assert failure.value.outcome is Outcome.TRUNCATED


def test_a_disk_or_limit_that_is_full_stops_the_join(tracks, tmp_path):
    """The kernel's limit holds where ours would not."""
    small = SandboxSettings(file_gib=0.00001)
    with MediaWorkers(count=1, settings=small) as pool, pytest.raises(MediaFailure) as failure:
        pool.join(tracks[0]["mp4"], tracks[1]["wav"], into=tmp_path / "joined", most_bytes=MOST)
    assert failure.value.outcome is Outcome.TOO_LARGE
    assert (tmp_path / "joined").stat().st_size <= 10_800
