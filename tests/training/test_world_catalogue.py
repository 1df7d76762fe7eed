"""The catalogue draws films of every kind, and never the same seed for training and evaluation."""

import numpy as np
import pytest

from shards.errors import BadInput
from training.world import SCENES, Split, draw, film_seed, varied

MANY = 400


def test_training_and_evaluation_share_no_seed():
    train = {film_seed(number, split=Split.TRAIN) for number in range(MANY)}
    evaluation = {film_seed(number, split=Split.EVALUATION) for number in range(MANY)}
    assert len(train) == len(evaluation) == MANY and not train & evaluation
    assert all(varied(number, split=Split.EVALUATION).seed in evaluation for number in range(9))
    with pytest.raises(BadInput):
        film_seed(-1, split=Split.TRAIN)


def test_the_same_number_gives_the_same_film():
    first, second = (draw(varied(7, split=Split.TRAIN, duration_s=1.0)) for _ in range(2))
    assert np.array_equal(first.frames, second.frames) and np.array_equal(first.audio, second.audio)
    other = draw(varied(7, split=Split.EVALUATION, duration_s=1.0))
    assert not np.array_equal(first.frames, other.frames)


def test_every_scene_and_every_setting_comes_up():
    specs = [varied(number, split=Split.TRAIN) for number in range(MANY)]
    counts = [sum(spec.scene == scene for spec in specs) for scene in SCENES]
    assert min(counts) > MANY / len(SCENES) / 2
    for name in ("texture", "lamp", "pan_px", "camera_shake_px"):
        values = np.array([getattr(spec, name) for spec in specs])
        assert 0.15 < np.mean(values == 0) < 0.35 and len(set(values)) > MANY / 2
    assert {spec.distractors for spec in specs} == {0, 1, 2, 3}


def test_the_format_is_as_asked_and_dressing_does_not_depend_on_it():
    small = varied(3, split=Split.TRAIN)
    large = varied(3, split=Split.TRAIN, duration_s=1.0, fps=12, height_px=96, width_px=128, rate_hz=24_000)
    film = draw(large)
    assert film.frames.shape == (12, 96, 128, 3) and len(film.audio) == 24_000
    assert (small.scene, small.texture, small.lamp) == (large.scene, large.texture, large.lamp)
    assert large.pan_px == pytest.approx(1.5 * small.pan_px)
    assert varied(3, split=Split.TRAIN, scenes=("playing_drum",)).scene == "playing_drum"


@pytest.mark.parametrize("number", range(12))
def test_a_varied_film_still_shows_and_sounds_its_strikes(number):
    film = draw(varied(number, split=Split.EVALUATION, duration_s=3.0))
    assert len(film.events_s) >= 3 and np.array_equal(film.events_s, film.sounds_s)
    for event in film.events_s:
        first = round(event * film.rate_hz)
        before = np.abs(film.audio[max(first - 160, 0) : first]).max(initial=0.0)
        assert np.abs(film.audio[first : first + 160]).max() > 0.2 + before / 2
