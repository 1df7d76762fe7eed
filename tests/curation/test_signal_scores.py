"""Motion and loudness have the numbers that their formulas say."""

from dataclasses import replace

import numpy as np
import pytest

from curation.media.timeline import Timeline, Window
from curation.scores.camera import camera_speed
from curation.scores.loudness import LoudnessScore
from curation.scores.motion import MotionScore
from curation.scores.registry import SCORES, build
from shards.errors import BadInput


def timeline(*, waveform=None, thumbs=None, seconds=3):
    frames, thumb_count = 24 * seconds, 10 * seconds
    return Timeline(
        width_px=8,
        height_px=8,
        duration_us=seconds * 1_000_000,
        frame_us=np.round(np.arange(frames) * 1e6 / 24).astype(np.int64),
        luma=np.zeros(frames, np.float32),
        motion=np.zeros(frames, np.float32),
        colour_change=np.zeros(frames, np.float32),
        thumb_us=np.arange(thumb_count) * 100_000,
        thumbs=np.zeros((thumb_count, 8, 8, 3), np.uint8) if thumbs is None else thumbs,
        audio_start_us=0,
        rate_hz=16_000,
        waveform=np.zeros(16_000 * seconds, np.float32) if waveform is None else waveform.astype(np.float32),
        cells=np.zeros((frames, 12, 12), np.uint8),
        cell_motion=np.zeros((frames, 12, 12), np.float16),
    )


def measure(score, line):
    (columns,) = score.score([Window(line, 0, line.duration_us)])
    assert tuple(columns) == score.columns
    return columns


def test_motion_is_the_mean_difference_of_ten_evenly_spread_thumbnails():
    thumbs = np.zeros((30, 8, 8, 3), np.uint8)
    thumbs[15:] = 51  # one step of 0.2 among nine differences
    found = measure(MotionScore(), timeline(thumbs=thumbs))
    assert (found["motion_mean"], found["motion_max"]) == pytest.approx((0.2 / 9, 0.2))


def test_a_short_window_moves_as_much_as_a_long_one_of_the_same_picture():
    """Thumbnails that stand for two instants do not count as a standstill."""
    thumbs = np.zeros((30, 8, 8, 3), np.uint8)
    thumbs[1::2] = 51
    line = timeline(thumbs=thumbs)
    short, one = MotionScore().score([Window(line, 0, 500_000), Window(line, 0, 40_000)])
    assert (short["motion_mean"], short["motion_max"]) == pytest.approx((0.2, 0.2))
    assert np.isnan(one["motion_mean"]) and np.isnan(one["motion_max"])


def test_a_still_picture_has_no_motion():
    assert measure(MotionScore(), timeline()) == dict.fromkeys(MotionScore.columns, 0.0)


def test_a_region_that_moves_is_told_from_a_picture_that_does():
    line = timeline()
    moved = np.full((len(line.frame_us), 12, 12), 0.01, np.float16)
    everywhere = measure(MotionScore(), replace(line, cell_motion=moved))
    moved = moved.copy()
    moved[:, 3, 7] = 0.05
    one = measure(MotionScore(), replace(line, cell_motion=moved))
    assert everywhere["local_motion"] == 0 and one["local_motion"] == pytest.approx(0.04, abs=1e-4)


@pytest.mark.parametrize("pictures_a_second", [0.0, 0.2, 0.6])
def test_the_speed_of_the_camera(pictures_a_second):
    """A pattern drawn through at a known speed."""
    frame_us = np.arange(60) * 40_000
    along, down = np.meshgrid(np.arange(12) + 0.5, np.arange(12) + 0.5)
    cells = [
        128 + 50 * np.sin((along - 12 * pictures_a_second * at / 1e6) / 2) + 40 * np.cos(down / 3) for at in frame_us
    ]
    moved = np.abs(np.diff(cells, axis=0, prepend=cells[:1])) / 255
    found = camera_speed(np.round(np.stack(cells)).astype(np.uint8), moved, frame_us)
    assert found == pytest.approx(pictures_a_second, rel=0.2, abs=0.01)


def test_a_ball_before_a_wall_is_no_camera():
    cells = np.full((60, 12, 12), 90, np.uint8)
    for at in range(60):
        cells[at, 3 + at % 6, 5:7] = 220
    moved = np.abs(np.diff(cells.astype(float), axis=0, prepend=cells[:1])) / 255
    assert camera_speed(cells, moved, np.arange(60) * 40_000) == 0


def test_loudness_of_a_tone_that_sounds_half_of_the_time():
    wave = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(48_000) / 16_000)
    wave[24_000:] = 0
    columns = measure(LoudnessScore(), timeline(waveform=wave))
    assert columns["peak_amplitude"] == pytest.approx(0.5, abs=1e-3)
    assert columns["silence_ratio"] == pytest.approx(0.5)
    assert columns["rms_dbfs"] == pytest.approx(20 * np.log10(0.25), abs=0.01)


def test_silence_is_all_silent():
    columns = measure(LoudnessScore(), timeline())
    assert columns == pytest.approx({"peak_amplitude": 0, "silence_ratio": 1, "rms_dbfs": -120}, abs=1e-3)


def test_scores_are_built_by_name_and_keep_to_the_protocol():
    for score in build(["motion", "loudness", "sync"]):
        score.check()
        assert score.name in SCORES and score.version >= 1 and score.needs and score.columns


def test_an_unknown_score_is_refused_with_the_known_ones():
    with pytest.raises(BadInput) as caught:
        build(["motion", "emotion"])
    assert "emotion" in str(caught.value) and all(name in caught.value.remedy for name in SCORES)
