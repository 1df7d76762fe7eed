"""One mix of sound: what cancels is heard, what does not is mixed as ever, and no layout is refused."""

import av
import numpy as np
import pytest

from shards.downmix import Downmix, has_places, mixing_matrix

RATE_HZ = 48_000
TIME_S = np.arange(3 * RATE_HZ) / RATE_HZ
TONE = (0.5 * np.sin(2 * np.pi * 440 * TIME_S)).astype(np.float32)
SCALES = {"flt": 1.0, "s16": 32767.0, "s32": 2.0**31 - 128, "u8": 127.0}


def frames(channels, layout, sample_format="flt"):
    """(channels, samples) as packed frames of 1,024 samples."""
    kind = {"flt": np.float32, "s16": np.int16, "s32": np.int32, "u8": np.uint8}[sample_format]
    packed = channels.T.reshape(1, -1).astype(np.float64) * SCALES[sample_format] + 128 * (sample_format == "u8")
    step = 1024 * len(channels)
    for first in range(0, packed.shape[1], step):
        block = np.ascontiguousarray(packed[:, first : first + step].astype(kind))
        frame = av.AudioFrame.from_ndarray(block, format=sample_format, layout=layout)
        frame.sample_rate = RATE_HZ
        yield frame


def mixed(channels, layout, target="mono", *, rate_hz=RATE_HZ, sample_format="flt", out="fltp"):
    mix = Downmix(rate_hz=rate_hz, layout=target, sample_format=out)
    pieces = [piece for frame in frames(channels, layout, sample_format) for piece in mix.put(frame)] + mix.rest()
    return np.concatenate(pieces, axis=1)


def as_libav_mixes(channels, layout, target, *, rate_hz, sample_format):
    resampler = av.AudioResampler(format="s16p", layout=target, rate=rate_hz)
    pieces = [one for frame in frames(channels, layout, sample_format) for one in resampler.resample(frame)]
    return np.concatenate([one.to_ndarray() for one in [*pieces, *resampler.resample(None)]], axis=1)


@pytest.mark.parametrize("sample_format", SCALES)
@pytest.mark.parametrize("gain", [-1.0, -0.5])
def test_a_channel_that_is_the_other_one_inverted_is_heard(gain, sample_format):
    (heard,) = mixed(np.stack([TONE, gain * TONE]), "stereo", sample_format=sample_format)
    assert np.abs(heard - (1 - gain) / 2 * TONE).max() < 0.02


@pytest.mark.parametrize("layout", ["mono", "stereo", "2 channels", "5.1", "7.1"])
@pytest.mark.parametrize("rate_hz", [16_000, 48_000])
def test_what_does_not_cancel_is_mixed_by_libav_to_the_sample(layout, rate_hz):
    count = av.AudioLayout(layout).nb_channels
    noise = np.random.default_rng(0).normal(0, 0.1, (count + 1, len(TIME_S))).astype(np.float32)
    # Channels of a recording have something in common and something of their own.
    channels = 0.5 * noise[:1] + noise[1:]
    for target in ("mono", "stereo"):
        for sample_format in ("flt", "s16"):
            ours = mixed(channels, layout, target, rate_hz=rate_hz, sample_format=sample_format, out="s16p")
            theirs = as_libav_mixes(channels, layout, target, rate_hz=rate_hz, sample_format=sample_format)
            assert np.array_equal(ours, theirs)


def test_independent_channels_are_not_taken_for_opposed_ones():
    wide = np.random.default_rng(1).normal(0, 0.1, (2, len(TIME_S))).astype(np.float32)
    assert np.abs(mixed(wide, "stereo")[0] - wide.mean(axis=0)).max() < 1e-6


def test_stereo_that_cancels_stays_what_it_is_in_stereo():
    channels = np.stack([TONE, -TONE])
    assert np.array_equal(mixed(channels, "stereo", "stereo"), channels)


def test_the_mix_changes_sides_where_the_sound_does():
    half = len(TONE) // 2
    right = np.concatenate([TONE[:half], -TONE[half:]])
    (heard,) = mixed(np.stack([TONE, right]), "stereo")
    assert min(np.abs(part).max() for part in np.array_split(heard, 4)) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("count", range(1, 25))
@pytest.mark.parametrize("target", ["mono", "stereo"])
def test_channels_of_unknown_places_are_all_heard_and_none_overshoots(count, target):
    heard = mixed(np.repeat(TONE[None], count, axis=0), f"{count} channels", target)
    assert heard.shape == (1 + (target == "stereo"), len(TONE))
    peaks = np.abs(heard).max(axis=1)
    assert peaks.min() > 0.3 and peaks.max() < 0.51


@pytest.mark.parametrize("layout", ["ambisonic 1", "ambisonic 2", "ambisonic 3"])
def test_ambisonics_become_two_cardioids_and_their_mean(layout):
    assert not has_places(layout)
    channels = np.zeros((av.AudioLayout(layout).nb_channels, len(TONE)), np.float32)
    channels[:2] = TONE
    left, right = mixed(channels, layout, "stereo")
    assert np.abs(left - TONE).max() < 1e-6 and not right.any()
    # From the right, Y runs against W, which is no fault of polarity.
    channels[1] = -TONE
    left, right = mixed(channels, layout, "stereo")
    assert np.abs(right - TONE).max() < 1e-6 and not left.any()
    assert np.abs(mixed(channels, layout)[0] - TONE / 2).max() < 1e-6


def test_mono_is_the_mean_of_stereo_for_every_layout_that_we_mix():
    for layout in ("ambisonic 1", "ambisonic 1+stereo", "9 channels", "binaural", "FL+LFE"):
        count = av.AudioLayout(layout).nb_channels
        channels = 0.2 * np.random.default_rng(2).uniform(-1, 1, (count, 4_800)).astype(np.float32)
        assert np.abs(mixed(channels, layout)[0] - mixed(channels, layout, "stereo").mean(axis=0)).max() < 1e-6, layout


def test_no_side_of_a_matrix_overshoots():
    for names in (("AMBI0", "AMBI1", "AMBI2", "AMBI3", "FL", "FR"), ("NONE",) * 9, ("BIL", "BIR")):
        assert np.abs(mixing_matrix(names)).sum(axis=1).max() <= 1


def test_chunks_are_the_mix_of_the_whole():
    """What waits for the resampler is no seam in the sound."""
    (heard,) = mixed(np.stack([TONE, TONE]), "stereo", rate_hz=16_000, out="s16p")
    assert np.abs(np.diff(heard[100:-100].astype(float), n=2)).max() < 32768 * 0.5 * (2 * np.pi * 440 / 16_000) ** 2 + 3
