"""Sound of any layout: analysed, cut and checked alike."""

import io

import av
import numpy as np
import pytest

from curation.media.analyse import analyse
from curation.media.cut import cut
from curation.media.recheck import recheck
from shards.schema import Record
from tests.curation.odd_films import RATE_HZ, Picture, Sound, film, pitch_hz, tone
from training.data.media import read_sound

LAYOUTS = {
    "opposed": Sound(layout="stereo", samples=np.stack([tone(), -tone()])),
    "opposed, lossy": Sound(layout="stereo", samples=np.stack([tone(), -tone()]), codec="aac"),
    "opposed fronts of 5.1": Sound(
        layout="5.1", samples=np.stack([2 * tone(peak=0.5), -2 * tone(peak=0.5), *[0 * tone()] * 4])
    ),
    "opposed pairs": Sound(layout="quad", samples=np.stack([tone(), -tone(), tone(), -tone()])),
    "ambisonic": Sound(
        layout="ambisonic 1", samples=np.stack([tone(), tone(), 0 * tone(), 0 * tone()]), codec="libopus"
    ),
    "discrete": Sound(layout="9 channels", samples=np.repeat(tone()[None], 9, axis=0), codec="pcm_s16le"),
    "sixteen": Sound(layout="hexadecagonal", samples=np.repeat(tone()[None], 16, axis=0), codec="pcm_s16le"),
    "loose Opus": Sound(layout="3.0", samples=np.repeat(tone()[None], 3, axis=0), codec="libopus"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_is_heard_cut_and_checked(tmp_path, name):
    path = film(tmp_path / "film.mkv", Picture(), LAYOUTS[name])
    line = analyse(path)
    assert np.abs(line.waveform).max() > 0.2
    assert pitch_hz(line.waveform, line.rate_hz) == pytest.approx(440, abs=2)
    made = cut(path, start_us=1_000_000, end_us=3_000_000)
    with av.open(io.BytesIO(made.flac)) as flac:
        samples = np.concatenate([one.to_ndarray() for one in flac.decode(audio=0)], axis=1)
    assert samples.size == 2 * 2 * RATE_HZ
    # Training hears of the clip what the analysis heard of the film.
    heard, rate_hz = read_sound(made.flac, rate_hz=line.rate_hz)
    assert rate_hz == line.rate_hz
    there = line.waveform[round(line.rate_hz * (1 - line.audio_start_us / 1e6)) :][: len(heard)]
    middle = slice(2_000, -2_000)
    assert np.abs(heard[middle] - there[middle]).max() < 0.01
    meta = {key: getattr(made, key) for key in ("frames", "width_px", "height_px", "rate_hz")}
    span = {"start_us": 1_000_000, "end_us": 3_000_000}
    assert recheck(Record("k", made.mp4, made.flac, meta | span)) == []


def test_a_shift_between_two_sounds_that_cancel_in_mono_is_found(tmp_path):
    """Where both tracks were silent to the check, anything would pass."""
    noise = np.random.default_rng(0).normal(0, 0.1, len(tone())).astype(np.float32)
    path = film(tmp_path / "film.mkv", Picture(), Sound(layout="stereo", samples=np.stack([noise, -noise])))
    one, late = (cut(path, start_us=0, end_us=2_000_000, sound_offset_us=at) for at in (0, 2_000))
    meta = {key: getattr(one, key) for key in ("frames", "width_px", "height_px", "rate_hz")}
    (fault,) = recheck(Record("k", one.mp4, late.flac, meta | {"start_us": 0, "end_us": 2_000_000}))
    assert "2.00 ms off" in fault


def test_a_mix_of_places_that_nobody_knows_is_told(tmp_path):
    assert "9 channels" in analyse(film(tmp_path / "film.mkv", Picture(), LAYOUTS["discrete"])).notes
    assert analyse(film(tmp_path / "plain.mkv", Picture(), LAYOUTS["sixteen"])).notes == ""
