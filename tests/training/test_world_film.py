"""Drawn films keep what their specification says, in picture and in sound."""

from itertools import combinations

import numpy as np
import pytest

from shards.errors import BadInput
from training.world import SCENES, FilmSpec, draw

FPS = 24


def motion(film):
    """(frames,) mean absolute difference to the frame before."""
    luma = film.frames.mean(axis=3) / 255
    return np.concatenate([[0.0], np.abs(np.diff(luma, axis=0)).mean(axis=(1, 2))])


def spec(scene="hammering_anvil", **fields):
    return FilmSpec(**{"scene": scene, "seed": 4, "duration_s": 3.0, **fields})


@pytest.mark.parametrize("scene", SCENES)
def test_every_scene_moves_most_at_its_strikes_and_sounds_exactly_then(scene):
    film = draw(spec(scene))
    assert film.frames.shape == (72, 256, 256, 3)
    energy = motion(film)
    strikes = np.round(film.events_s * FPS).astype(int)
    strikes = strikes[(strikes > 0) & (strikes < 71)]
    near = np.max([energy[strikes], energy[strikes + 1]], axis=0)
    assert near.min() > 1.3 * np.median(energy)
    assert np.array_equal(film.events_s, film.sounds_s)
    for event in film.events_s:
        first = round(event * film.rate_hz)
        before = np.abs(film.audio[max(first - 480, 0) : first]).max(initial=0.0)
        assert np.abs(film.audio[first : first + 480]).max() > 0.2 + before / 2


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_strike_is_plain_to_see_at_64_pixels_and_12_frames_a_second(scene, seed):
    film = draw(spec(scene, seed=seed, width_px=64, height_px=64, fps=12, duration_s=4.0, rate_hz=16_000))
    energy = motion(film)
    strikes = np.round(film.events_s * 12).astype(int)
    strikes = strikes[(strikes > 0) & (strikes < len(energy) - 1)]
    near = np.max([energy[strikes], energy[strikes + 1]], axis=0)
    assert len(strikes) >= 4 and near.min() > 1.3 * np.median(energy)


def test_no_two_scenes_sound_alike():
    strikes = [scene.sound(np.random.default_rng(3), 48_000) for scene in SCENES.values()]
    spectra = []
    for strike in strikes:
        power = np.abs(np.fft.rfft(strike, 1 << 16)) ** 2
        bands = np.add.reduceat(power, np.geomspace(64, len(power) - 1, 33).astype(int)[:-1])
        spectra.append(np.sqrt(bands / bands.sum()))
    for one, other in combinations(spectra, 2):
        assert one @ other < 0.93


@pytest.mark.parametrize("scene", SCENES)
def test_every_scene_sounds_at_a_low_sample_rate_too(scene):
    film = draw(spec(scene, rate_hz=16_000, width_px=32, height_px=32))
    for event in film.events_s:
        first = round(event * 16_000)
        before = np.abs(film.audio[max(first - 160, 0) : first]).max(initial=0.0)
        assert np.abs(film.audio[first : first + 160]).max() > 0.2 + before / 2


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("seed", [1, 2])
def test_pixel_difference_and_loudness_lie_within_the_published_thresholds(scene, seed):
    film = draw(spec(scene, seed=seed))
    ten = film.frames[np.linspace(0, 71, 10).round().astype(int)] / 255
    assert 0.01 < np.abs(np.diff(ten, axis=0)).mean() < 0.15
    assert 0.3 < np.abs(film.audio).max() < 0.98


def test_scenes_look_different_from_each_other_and_from_seed_to_seed():
    looks = [draw(spec(scene, duration_s=0.1)).frames[0] / 255 for scene in SCENES]
    looks.append(draw(spec(seed=5, duration_s=0.1)).frames[0] / 255)
    for place, one in enumerate(looks):
        assert all(np.abs(one - two).mean() > 0.02 for two in looks[place + 1 :])


def test_the_same_specification_gives_the_same_film():
    first, second = (draw(spec(camera_shake_px=3, background_noise=0.05)) for _ in range(2))
    assert np.array_equal(first.frames, second.frames)
    assert np.array_equal(first.audio, second.audio)


def test_sound_half_a_second_late_keeps_the_picture_and_moves_every_sound():
    film, late = draw(spec()), draw(spec(sound_shift_s=0.5))
    assert np.array_equal(film.frames, late.frames)
    shared = film.events_s[film.events_s < 2.5]
    assert np.allclose(late.sounds_s[-len(shared) :], shared + 0.5)


def test_swapped_sound_has_another_timbre_and_other_times():
    film, swapped = draw(spec()), draw(spec(sound_scene="bouncing_ball"))
    assert np.array_equal(film.frames, swapped.frames)
    assert not np.array_equal(film.events_s, swapped.sounds_s)


def test_a_silent_film_has_a_track_of_zeros():
    film = draw(spec(silent=True))
    assert len(film.audio) == 3 * film.rate_hz and not film.audio.any()
    assert len(film.sounds_s) == 0 and len(film.events_s) > 2


def test_a_static_film_shows_one_picture_and_no_events_while_the_sound_goes_on():
    film = draw(spec(static=True))
    assert (film.frames == film.frames[0]).all()
    assert len(film.events_s) == 0 and len(film.sounds_s) > 2


def test_a_narrator_speaks_about_four_syllables_a_second():
    film = draw(spec(narration=True, duration_s=6.0))
    assert 2.5 < len(film.sounds_s) / 6 < 5
    assert np.diff(film.sounds_s).std() > 0.03
    assert np.abs(film.audio).max() == pytest.approx(0.5, abs=0.05)


def test_a_cut_changes_the_whole_picture_once():
    film = draw(spec(cut_at_s=1.5, cut_to="playing_drum"))
    energy = motion(film)
    assert energy.argmax() == 36
    assert energy[36] > 1.5 * np.delete(energy, 36).max()


def test_a_shaking_camera_moves_the_still_wall():
    still, shaky = draw(spec("bouncing_ball")), draw(spec("bouncing_ball", camera_shake_px=8))
    corner = (slice(None), slice(0, 40), slice(0, 40))
    assert np.abs(np.diff(still.frames[corner].astype(int), axis=0)).mean() < 0.1
    assert np.abs(np.diff(shaky.frames[corner].astype(int), axis=0)).mean() > 0.5


def test_background_noise_is_as_loud_as_asked():
    quiet, noisy = draw(spec(background_noise=0.0)), draw(spec(background_noise=0.05))
    assert np.sqrt(np.mean((noisy.audio - quiet.audio) ** 2)) == pytest.approx(0.05, rel=0.02)


def test_other_sizes_and_rates_are_drawn_too():
    film = draw(spec(width_px=320, height_px=180, fps=30, rate_hz=44_100, duration_s=1.0))
    assert film.frames.shape == (30, 180, 320, 3)
    assert len(film.audio) == 44_100


@pytest.mark.parametrize(
    "fields",
    [
        {"scene": "juggling"},
        {"sound_scene": "juggling"},
        {"duration_s": 0.0},
        {"cut_at_s": 1.0},
        {"cut_to": "playing_drum"},
        {"cut_at_s": 9.0, "cut_to": "playing_drum"},
    ],
)
def test_refuses_a_specification_that_makes_no_film(fields):
    with pytest.raises(BadInput):
        draw(spec(**fields))
