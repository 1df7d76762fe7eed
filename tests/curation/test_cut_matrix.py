"""Whatever the codec, the container and the clock: cutting moves the sound by less than a millisecond, and no frame."""

import io
import json
import os
import subprocess

import av
import numpy as np
import pytest

from bench import cut as bench
from bench import flash
from curation.media.cut import cut
from curation.media.recheck import recheck
from shards.ffmpeg import ffmpeg_binary
from shards.schema import Record

FILMS = [
    flash.Film("libx264", "aac", "mp4"),
    flash.Film("libx264", "aac", "mp4", vfr=True, edited=True),
    flash.Film("libx264", "flac", "mkv", vfr=True),
    flash.Film("libvpx-vp9", "libopus", "webm"),
    flash.Film("libvpx-vp9", "libopus", "mp4", edited=True),
    flash.Film("libsvtav1", "aac", "mp4", vfr=True),
    flash.Film("libsvtav1", "libopus", "mkv"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("flash")


@pytest.mark.parametrize("film", FILMS, ids=str)
def test_cutting_adds_less_than_a_millisecond_and_loses_nothing(film, folder):
    row = bench.row_of(film, folder, 6)
    assert row["events"] >= 6
    assert row["max_ms"] <= 1 and row["flac_max_ms"] <= 1
    assert (row["frames_wrong"], row["spans_lost"]) == (0, 0)


def test_making_an_av1_film_leaves_this_process_its_place_among_others(tmp_path):
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    flash.make(flash.Film("libsvtav1", "aac", "mp4"), tmp_path)
    assert (os.sched_getscheduler(0), os.sched_getparam(0)) == before


def test_the_measure_sees_a_shift_of_a_few_milliseconds(folder):
    path = flash.make(FILMS[0], folder)
    shifted = folder / "shifted.mkv"
    command = ["-i", path, "-itsoffset", "0.005", "-i", path, "-map", "0:v", "-map", "1:a", "-c", "copy", shifted]
    subprocess.run([ffmpeg_binary(), "-v", "error", "-y", *command], check=True)
    whole, late = flash.offsets_ms(flash.events(path)), flash.offsets_ms(flash.events(shifted))
    assert np.median(list(late.values())) - np.median(list(whole.values())) == pytest.approx(5, abs=0.6)


@pytest.mark.parametrize("codec", ["aac", "libopus"])
def test_sound_behind_a_seek_is_what_it_is_from_the_beginning(codec, folder):
    path = flash.make(flash.Film("libx264", codec, "mp4"), folder)
    whole = samples(cut(path, start_us=0, end_us=8_000_000).flac)
    clip = cut(path, start_us=5_013_337, end_us=7_000_000)
    first = round(clip.first_frame_us * 48_000 / 1e6)
    part = samples(clip.flac)
    assert np.abs(part - whole[first : first + len(part)]).max() <= 1


def samples(flac: bytes):
    with av.open(io.BytesIO(flac)) as file:
        return np.concatenate([frame.to_ndarray().ravel() for frame in file.decode(audio=0)]).astype(int)


@pytest.fixture(scope="module")
def clip(folder):
    made = cut(flash.make(FILMS[0], folder), start_us=1_000_000, end_us=3_000_000)
    names = ("frames", "width_px", "height_px", "rate_hz")
    meta = {name: getattr(made, name) for name in names} | {"start_us": 1_000_000, "end_us": 3_000_000}
    return Record("k", made.mp4, made.flac, json.loads(json.dumps(meta)))


def test_a_clip_as_it_was_cut_has_no_fault(clip):
    assert recheck(clip) == []


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("frames", 49, "50 frames instead of 49"),
        ("width_px", 98, "96x64 pixels instead of 98x64"),
        ("rate_hz", 44_100, "sound of 48000"),
        ("end_us", 2_500_000, "of sound for 1.500 s"),
    ],
)
def test_a_clip_that_is_not_what_its_record_says_is_found(clip, name, value, fault):
    found = recheck(Record("k", clip.mp4, clip.flac, clip.meta | {name: value}))
    assert any(fault in one for one in found), found


def test_two_sounds_that_lie_apart_are_found(clip, folder):
    other = cut(flash.make(FILMS[0], folder), start_us=1_000_000, end_us=3_000_000, sound_offset_us=2_000)
    assert recheck(Record("k", other.mp4, other.flac, clip.meta)) == []
    (fault,) = recheck(Record("k", clip.mp4, other.flac, clip.meta))
    assert "2.00 ms off" in fault


def test_a_sound_whose_time_stamps_begin_late_is_found(clip, tmp_path):
    (tmp_path / "clip.mp4").write_bytes(clip.mp4)
    inputs = ["-i", tmp_path / "clip.mp4", "-itsoffset", "0.1", "-i", tmp_path / "clip.mp4"]
    command = [*inputs, "-map", "0:v", "-map", "1:a", "-c", "copy", tmp_path / "late.mp4"]
    subprocess.run([ffmpeg_binary(), "-v", "error", "-y", *command], check=True)
    (fault,) = recheck(Record("k", (tmp_path / "late.mp4").read_bytes(), clip.flac, clip.meta))
    assert "ms off its picture" in fault


def test_a_clip_that_cannot_be_decoded_is_found(clip):
    assert "cannot be decoded" in recheck(Record("k", b"no film" * 99, clip.flac, clip.meta))[0]
    assert recheck(Record("k", clip.mp4[:100], clip.flac, clip.meta)) == ["it has no sound"]
