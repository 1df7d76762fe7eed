"""Frames, latent frames and sound columns stand for the right instants."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shards.errors import BadInput
from training.timing import AudioTiming, VideoTiming, window_starts_us, window_table

videos = st.builds(
    lambda steps, fps, ratio: VideoTiming(1 + steps * ratio, fps, ratio),
    st.integers(0, 24),
    st.sampled_from([6, 8, 16, 24, 30]),
    st.sampled_from([1, 4]),
)
sounds = st.builds(AudioTiming, st.integers(1, 120), st.sampled_from([0.02, 0.04, 0.1, 0.16]), st.floats(0.01, 0.3))


def test_a_wan_video_of_49_frames_has_13_latents_with_known_centres():
    timing = VideoTiming(frames=49, fps=24, ratio=4)
    assert timing.latents == 13
    np.testing.assert_allclose(timing.latent_centres_s()[[0, 1, 2, -1]], [0.0208, 0.125, 0.2917, 1.9583], atol=1e-4)
    np.testing.assert_allclose(timing.latent_half_spans_s()[:2], [0.0208, 0.0833], atol=1e-4)


@given(videos)
def test_latent_spans_cover_the_video_without_gap_or_overlap(video):
    centres, halves = video.latent_centres_s(), video.latent_half_spans_s()
    edges = np.concatenate([[0.0], centres + halves])
    np.testing.assert_allclose(centres - halves, edges[:-1], atol=1e-9)
    assert edges[-1] == pytest.approx(video.duration_s)


@given(videos)
def test_without_compression_latents_are_frames(video):
    if video.ratio == 1:
        np.testing.assert_allclose(video.latent_centres_s(), video.frame_centres_s())


@given(videos, sounds, st.floats(0, 1))
def test_a_window_holds_exactly_the_columns_within_the_radius(video, audio, radius_s):
    table = window_table(video, audio, radius_s=radius_s)
    centres = audio.centres_s()
    for row, tau, half in zip(table.index, video.latent_centres_s(), video.latent_half_spans_s(), strict=True):
        heard = row[row != table.null]
        expected = np.flatnonzero(np.abs(centres - tau) <= radius_s + half + 1e-9)
        np.testing.assert_array_equal(heard, expected)


@given(videos, sounds, st.floats(0, 1))
def test_offsets_are_the_distance_of_centres_and_zero_where_there_is_nothing(video, audio, radius_s):
    table = window_table(video, audio, radius_s=radius_s)
    there = table.index != table.null
    expected = audio.centres_s()[np.where(there, table.index, 0)] - video.latent_centres_s()[:, None]
    np.testing.assert_allclose(table.offset_s, np.where(there, expected, 0.0), atol=1e-9)


@given(videos, sounds, st.floats(0, 0.5), st.floats(0, 0.5))
def test_a_wider_window_never_loses_a_column(video, audio, radius_s, more_s):
    narrow = window_table(video, audio, radius_s=radius_s)
    wide = window_table(video, audio, radius_s=radius_s + more_s)
    for few, many in zip(narrow.index, wide.index, strict=True):
        assert set(few[few != narrow.null]) <= set(many)


def test_neighbouring_windows_overlap():
    table = window_table(VideoTiming(12, 6), AudioTiming(50, 0.04, 0.032), radius_s=0.3)
    assert set(table.index[4]) & set(table.index[5]) - {table.null}


@given(st.integers(0, 20_000_000), st.integers(1, 8))
def test_windows_start_inside_the_clip_and_include_head_and_tail(duration_us, limit):
    # Between two others, which must not matter.
    lengths_us = np.array([9_000_000, duration_us, 1])
    clips, places, found = window_starts_us(lengths_us, window_us=2_000_000, stride_us=500_000, limit=limit)
    starts = found[clips == 1].tolist()
    assert places[clips == 1].tolist() == list(range(len(starts)))
    assert 1 <= len(starts) <= limit
    assert starts == sorted(set(starts)) and starts[0] == 0
    assert all(start + 2_000_000 <= duration_us for start in starts[1:])
    if len(starts) > 1:
        assert starts[-1] == duration_us - 2_000_000


@pytest.mark.parametrize(("frames", "ratio"), [(48, 4), (12, 2), (0, 1)])
def test_refuses_frames_that_the_codec_cannot_fold(frames, ratio):
    with pytest.raises(BadInput, match="cannot be compressed"):
        VideoTiming(frames, 6, ratio)


def test_refuses_a_negative_radius():
    with pytest.raises(BadInput, match="negative"):
        window_table(VideoTiming(12, 6), AudioTiming(50, 0.04, 0.032), radius_s=-0.1)
