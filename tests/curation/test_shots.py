"""Cuts are found, and what only looks like one on a curve is not taken for one."""

import subprocess
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from curation.media.analyse import analyse
from curation.media.likeness import directions
from curation.media.settings import ShotSettings
from curation.media.shots import find_shots
from shards.ffmpeg import ffmpeg_binary
from training.world import SCENES, FilmSpec, draw, write_film


def shots_of(film, path):
    write_film(film, path)
    return find_shots(analyse(path))


@pytest.mark.parametrize(("scene", "other"), [("striking_cymbal", "clapping_blocks"), ("ringing_bell", "playing_drum")])
def test_finds_the_cut_between_two_scenes_on_its_very_frame(tmp_path, scene, other):
    film = draw(FilmSpec(scene=scene, seed=11, duration_s=5.0, cut_at_s=2.5, cut_to=other))
    shots = shots_of(film, tmp_path / "cut.mp4")
    assert shots == [(0, 2_500_000), (2_500_000, pytest.approx(5_000_000, abs=2))]


TAKEN_FOR_A_CUT = pytest.mark.xfail(
    strict=True, reason="two hands that meet before a shaken camera change half of the picture at once: 5 of 20 films"
)


@pytest.mark.parametrize(
    "scene", [pytest.param(one, marks=TAKEN_FOR_A_CUT) if one == "clapping_hands" else one for one in SCENES]
)
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


def small(scene, seed, static=False):
    return draw(FilmSpec(scene=scene, seed=seed, duration_s=3.0, width_px=96, height_px=96, static=static))


def lit(film, share, length, every=18):
    """The film with a square of white, `share` of the picture, for `length` frames in `every`."""
    frames, side = film.frames.copy(), round(96 * share**0.5)
    for start in range(5, len(frames), every):
        top = (start * 7) % (97 - side)
        frames[start : start + length, top : top + side, :side] = 255
    return replace(film, frames=frames)


@pytest.mark.parametrize(("share", "length"), [(1.0, 1), (1.0, 8), (0.5, 2), (0.5, 8), (0.2, 1), (0.2, 4), (0.05, 8)])
def test_a_flash_is_no_cut(tmp_path, share, length):
    assert len(shots_of(lit(small("chopping_wood", 4), share, length), tmp_path / "flash.mp4")) == 1


def test_a_flash_hides_no_cut(tmp_path):
    one, other = small("striking_cymbal", 11), small("clapping_blocks", 12)
    frames = np.concatenate([one.frames[:36], other.frames[:36]])
    for every, length in ((18, 4), (4, 2)):
        shots = shots_of(lit(replace(one, frames=frames), 1.0, length, every), tmp_path / f"{every}.mp4")
        assert [round(start / 1e6 * 24) for start, _ in shots] == [0, 36]


def test_lamps_that_fail_for_a_moment_are_no_cut(tmp_path):
    film = small("chopping_wood", 4)
    frames = film.frames.copy()
    frames[30:36] = 0
    assert len(shots_of(replace(film, frames=frames), tmp_path / "blackout.mp4")) == 1


def test_what_passes_the_lens_is_no_cut(tmp_path):
    film = small("chopping_wood", 4)
    frames = film.frames.copy()
    for step in range(8):
        frames[30 + step, :, max(0, 12 * step - 60) : 12 * step + 12] = (70, 40, 30)
    assert len(shots_of(replace(film, frames=frames), tmp_path / "passer-by.mp4")) == 1


def test_an_inset_that_pops_up_is_no_cut(tmp_path):
    film, other = small("chopping_wood", 4), small("clapping_blocks", 12)
    frames = film.frames.copy()
    frames[30:, 66:] = other.frames[30:, 30:60]
    assert len(shots_of(replace(film, frames=frames), tmp_path / "inset.mp4")) == 1


def test_short_shots_are_found_too(tmp_path):
    films = [small("striking_cymbal", 11), small("clapping_blocks", 12), small("chopping_wood", 13)]
    frames = np.concatenate([films[0].frames[:30], films[1].frames[:9], films[2].frames[:30]])
    shots = shots_of(replace(films[0], frames=frames), tmp_path / "short.mp4")
    assert [round(start / 1e6 * 24) for start, _ in shots] == [0, 30, 39]


def dissolving(frames=18):
    one, other = small("striking_cymbal", 11, static=True), small("chopping_wood", 13, static=True)
    share = np.linspace(0, 1, frames + 2)[1:-1, None, None, None]
    mixed = (one.frames[30 : 30 + frames] * (1 - share) + other.frames[:frames] * share).astype(np.uint8)
    return replace(one, frames=np.concatenate([one.frames[:30], mixed, other.frames[frames:60]]))


def test_a_dissolve_is_a_short_shot_of_its_own(tmp_path):
    starts = [round(start / 1e6 * 24) for start, _ in shots_of(dissolving(), tmp_path / "dissolve.mp4")]
    assert starts == [0, pytest.approx(30, abs=4), pytest.approx(48, abs=4)]


def test_dissolves_can_be_let_through(tmp_path):
    write_film(dissolving(), tmp_path / "dissolve.mp4")
    assert len(find_shots(analyse(tmp_path / "dissolve.mp4"), ShotSettings(dissolve_s=0))) == 1


def test_a_stream_that_changes_its_size_is_cut_there(tmp_path):
    film = small("chopping_wood", 4)
    larger = replace(film, frames=film.frames.repeat(2, axis=1).repeat(2, axis=2))
    whole = b""
    for number, part in enumerate((film, larger)):
        write_film(part, tmp_path / f"{number}.mp4")
        piece = tmp_path / f"{number}.ts"
        copy = ["-c", "copy", "-output_ts_offset", str(3 * number), str(piece)]
        subprocess.run([ffmpeg_binary(), "-v", "error", "-i", str(tmp_path / f"{number}.mp4"), *copy], check=True)
        whole += piece.read_bytes()
    (tmp_path / "whole.ts").write_bytes(whole)
    line = analyse(tmp_path / "whole.ts")
    assert line.resized.tolist() == [72]
    assert [start for start, _ in find_shots(line)] == [0, line.frame_us[72]]


def test_another_light_is_the_same_picture():
    picture = np.random.default_rng(0).integers(60, 120, (1, 144)).astype(np.float32)
    dim, bright, other = directions(np.concatenate([picture / 2, picture + 60, picture[:, ::-1]]))
    assert dim @ bright > 0.95
    assert dim @ other < 0.5


CUTS_S = {
    "FoleyCrafter__vggsound_0.mp4": [3.98],
    "gestsync_2.mp4": [2.07],
    "cafa_2.mp4": [4.34],
    "SpecVQGAN__video_00323.mp4": [],  # a hammer blow before the lens
    "Diff-Foley__drum.mp4": [],  # captions that pop up
    "Diff-Foley__gun.mp4": [],  # muzzle fire
    "stav2a_16.mp4": [],  # fireworks
}


@pytest.mark.parametrize("name", CUTS_S)
def test_filmed_clips_are_cut_where_they_are(corpus, name):
    path = corpus / "natural" / name
    if not path.is_file():
        pytest.skip("no filmed clips in this corpus")
    starts_s = [start / 1e6 for start, _ in find_shots(analyse(path))[1:]]
    assert starts_s == [pytest.approx(at_s, abs=0.05) for at_s in CUTS_S[name]]
