import numpy as np
import pytest

from shards.errors import BadInput
from training.evaluate.events import appearing_light, detect_events
from training.world import SCENES, FilmSpec, draw

FPS = 12
FIRST_SEED = 900_000
PIANO = "playing_piano"
"""Its hand uncovers pale keys as it leaves: light appears without a strike, now and then."""
PLAIN = [scene for scene in SCENES if scene != PIANO]


def small_film(scene, seed, fps=FPS, **changes):
    return draw(FilmSpec(scene=scene, seed=seed, duration_s=2.0, width_px=64, height_px=64, fps=fps, **changes))


def later(times_s, fps=FPS):
    """What begins after the first frame."""
    return times_s[times_s > 0.5 / fps]


@pytest.mark.parametrize("scene", PLAIN)
def test_each_drawn_strike_after_the_first_frame_is_found_in_its_own_frame(scene):
    for seed in range(FIRST_SEED, FIRST_SEED + 3):
        film = small_film(scene, seed)
        np.testing.assert_allclose(detect_events(film.frames, FPS), later(film.events_s))


def test_strikes_between_two_sampled_frames_are_found_within_one_frame():
    film = draw(FilmSpec(scene="ringing_bell", seed=FIRST_SEED, duration_s=2.0, width_px=128, height_px=128, fps=24))
    found = detect_events(film.frames[1::2], FPS)
    assert len(found) == len(later(film.events_s))
    assert np.abs(found - later(film.events_s)).max() <= 1 / FPS + 1e-9


def test_each_strike_of_the_piano_is_found_within_a_frame_and_few_that_are_none():
    extra = 0
    for seed in range(FIRST_SEED, FIRST_SEED + 8):
        film = small_film(PIANO, seed)
        found, true = detect_events(film.frames, FPS), later(film.events_s)
        assert np.abs(found[:, None] - true).min(axis=0).max() <= 1 / FPS + 1e-9
        extra += len(found) - len(true)
    assert 0 <= extra <= 4


@pytest.mark.parametrize("scene", PLAIN)
def test_a_blurred_weak_and_noisy_film_keeps_its_strikes(scene):
    film = small_film(scene, FIRST_SEED + 7)
    noise = np.random.default_rng(0).normal(0, 4, film.frames.shape)
    weak = 0.5 * film.frames[:1] + 0.5 * film.frames + noise
    found = detect_events(weak.clip(0, 255).astype(np.uint8), FPS)
    np.testing.assert_allclose(found, later(film.events_s))


def test_a_still_picture_shows_no_strike_however_it_flickers():
    still = small_film("playing_drum", FIRST_SEED, static=True).frames
    assert not len(detect_events(still, FPS))
    flicker = 1 + np.random.default_rng(1).normal(0, 0.01, (len(still), 1, 1, 1))
    assert not len(detect_events((still * flicker).clip(0, 255).astype(np.uint8), FPS))


def test_no_frames_and_one_frame_have_no_strike():
    assert not len(detect_events(np.zeros((0, 8, 8, 3), np.uint8), FPS))
    assert not len(detect_events(np.zeros((1, 8, 8, 3), np.uint8), FPS))


def test_appearing_light_is_what_came_less_half_of_what_went():
    frames = np.zeros((3, 64, 64, 3), np.uint8)
    frames[:2, :8, :8] = 200
    frames[1, 40:48, 40:48] = 200
    came = appearing_light(frames)
    square = 200 / 255 / 64
    np.testing.assert_allclose(came, [0.0, square, 0.0], atol=square / 50)


@pytest.mark.parametrize(
    ("frames", "fps"), [(np.zeros((4, 8, 8), np.uint8), 12), (np.zeros((4, 8, 8, 3), np.uint8), 0)]
)
def test_what_is_no_film_is_refused(frames, fps):
    with pytest.raises(BadInput, match="are no film"):
        detect_events(frames, fps)
