"""Cuts are found, and what only looks like one on a curve is not taken for one."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from curation.media.analyse import analyse
from curation.media.shots import find_shots
from training.world import SCENES, FilmSpec, draw, write_film


def shots_of(film, path):
    write_film(film, path)
    return find_shots(analyse(path))


@pytest.mark.parametrize(("scene", "other"), [("striking_cymbal", "clapping_blocks"), ("ringing_bell", "playing_drum")])
def test_finds_the_cut_between_two_scenes_on_its_very_frame(tmp_path, scene, other):
    film = draw(FilmSpec(scene=scene, seed=11, duration_s=5.0, cut_at_s=2.5, cut_to=other))
    shots = shots_of(film, tmp_path / "cut.mp4")
    assert shots == [(0, 2_500_000), (2_500_000, pytest.approx(5_000_000, abs=2))]


@pytest.mark.parametrize("scene", list(SCENES))
def test_impacts_are_no_cuts(tmp_path, scene):
    film = draw(FilmSpec(scene=scene, seed=21, duration_s=4.0, camera_shake_px=5.0, background_noise=0.01))
    assert len(shots_of(film, tmp_path / "shaky.mp4")) == 1


def test_a_lamp_that_flashes_in_one_place_is_no_cut(tmp_path):
    film = draw(FilmSpec(scene="chopping_wood", seed=4, duration_s=3.0))
    frames = film.frames.copy()
    frames[30:32, 20:90, 20:90] = 255
    assert len(shots_of(replace(film, frames=frames), tmp_path / "lamp.mp4")) == 1


def test_a_fade_through_black_ends_a_shot_and_a_dark_scene_does_not(tmp_path):
    film = draw(FilmSpec(scene="chopping_wood", seed=4, duration_s=4.0))
    fade = np.ones(len(film.frames))
    fade[36:60] = np.abs(np.linspace(-1, 1, 24))
    faded = (film.frames * fade[:, None, None, None]).astype(np.uint8)
    (_, middle), *_ = shots_of(replace(film, frames=faded), tmp_path / "fade.mp4")
    assert middle == pytest.approx(2_000_000, abs=100_000)
    assert len(shots_of(replace(film, frames=(film.frames * 0.08).astype(np.uint8)), tmp_path / "dark.mp4")) == 1


def test_a_long_black_is_a_shot_of_its_own(tmp_path):
    film = draw(FilmSpec(scene="chopping_wood", seed=4, duration_s=4.0))
    frames = film.frames.copy()
    frames[40:60] = 0
    shots = shots_of(replace(film, frames=frames), tmp_path / "black.mp4")
    assert [round(start / 1e6 * 24) for start, _ in shots] == [0, 40, 60]


def test_shots_cover_a_trailer_and_begin_at_its_hard_cuts(corpus):
    line = analyse(corpus / "real" / "sintel_trailer-720p.mp4")
    shots = find_shots(line)
    assert len(line.frame_us) == 1253
    assert shots[0][0] == 0 and shots[-1][1] == line.duration_us
    assert all(one[1] == other[0] for one, other in pairwise(shots))
    starts_s = np.array([start for start, _ in shots]) / 1e6
    for hard_cut_s in (16.5, 17.5, 23.79, 25.88, 27.42, 28.0):
        assert np.abs(starts_s - hard_cut_s).min() < 0.05
