"""Frames of a span at a steady rate: what FFmpeg's own `fps` filter shows, from any start, in any process."""

import subprocess

import av
import numpy as np
import pytest

from curation.media.failures import MediaFailure
from curation.media.look import look
from curation.media.sandbox import MediaWorkers
from curation.media.settings import AnalysisSettings
from curation.outcomes import Outcome
from shards.ffmpeg import ffmpeg_binary

VIEW = {"hz": 25, "short_px": 64, "side_px": 48}
STEPS = 60


def write(path, *, fps, seconds=4, size=(96, 64), gop=12):
    """A film whose frame n is grey of level 20 + 3 (n mod 60)."""
    with av.open(str(path), "w") as out:
        video, audio = out.add_stream("libx264", rate=fps), out.add_stream("aac", rate=16_000, layout="mono")
        video.width, video.height, video.pix_fmt, video.gop_size = *size, "yuv420p", gop
        video.options = {"crf": "1", "preset": "ultrafast"}
        for number in range(seconds * fps):
            picture = np.full((size[1], size[0], 3), 20 + 3 * (number % STEPS), np.uint8)
            picture[:, : size[0] // 8] = 255
            out.mux(video.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        out.mux(video.encode(None))
        frame = av.AudioFrame.from_ndarray(np.zeros((1, seconds * 16_000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16_000
        out.mux(audio.encode(frame))
        out.mux(audio.encode(None))
    return path


def numbers(images):
    """Which frames of the film they are, by the grey of their middle."""
    levels = images[:, 20:28, 20:28].mean(axis=(1, 2, 3))
    return np.round((levels - 20) / 3).astype(int)


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    return {fps: write(folder / f"{fps}.mp4", fps=fps) for fps in (10, 24, 25, 30)}


@pytest.mark.parametrize("fps", [10, 24, 25, 30])
def test_ticks_show_what_ffmpegs_fps_filter_shows(films, fps):
    command = [ffmpeg_binary(), "-v", "error", "-i", films[fps], "-vf", "fps=25,scale=96:64,crop=48:48"]
    raw = subprocess.run([*command, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], check=True, capture_output=True).stdout
    expected = numbers(np.frombuffer(raw, np.uint8).reshape(-1, 48, 48, 3))
    found = numbers(look(films[fps], start_us=0, end_us=4_000_000, **VIEW).images)
    assert len(found) == 100
    common = min(len(found), len(expected))
    assert common >= 99 and (found[:common] == expected[:common]).all()


@pytest.mark.parametrize("start", [0, 8, 40, 61])
def test_a_span_is_a_part_of_the_whole(films, start):
    whole = look(films[30], start_us=0, end_us=4_000_000, **VIEW).images
    part = look(films[30], start_us=start * 40_000, end_us=(start + 24) * 40_000, **VIEW).images
    assert part.shape == (24, 48, 48, 3)
    assert np.abs(part.astype(int) - whole[start : start + 24]).max() <= 1


def test_behind_the_last_frame_it_stays(films):
    found = numbers(look(films[25], start_us=3_600_000, end_us=4_400_000, **VIEW).images)
    assert len(found) == 20 and (found[10:] == 39).all() and found[0] == 30


def test_a_worker_sees_what_this_process_sees(films):
    ours = look(films[24], start_us=320_000, end_us=960_000, settings=AnalysisSettings(), **VIEW)
    with MediaWorkers(count=1) as workers:
        theirs = workers.look(films[24], start_us=320_000, end_us=960_000, **VIEW)
        assert np.array_equal(ours.images, theirs.images)
        with pytest.raises(MediaFailure) as failure:
            workers.look(films[24].with_name("gone.mp4"), start_us=0, end_us=640_000, **VIEW)
    assert failure.value.outcome is Outcome.FILE_MISSING


def test_an_upright_picture_is_taken_from_its_middle(tmp_path):
    film = write(tmp_path / "tall.mp4", fps=25, seconds=1, size=(64, 96))
    images = look(film, start_us=0, end_us=400_000, **VIEW).images
    assert images.shape == (10, 48, 48, 3)
    # The white stripe is the left eighth, 8 pixels of 64: a crop of the middle 48 leaves it out.
    assert images[0, :, 1:].max() < 60


def test_what_lies_behind_the_film_is_a_failure(tmp_path):
    (tmp_path / "page.mp4").write_bytes(b"<html>" * 100)
    with pytest.raises(MediaFailure, match="first bytes"):
        look(tmp_path / "page.mp4", start_us=0, end_us=640_000, **VIEW)
