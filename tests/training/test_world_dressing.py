"""What surrounds a scene (texture, lamp, pan, distractors) changes the picture and nothing else."""

from itertools import combinations, pairwise

import numpy as np
import pytest

from shards.errors import BadInput
from training.world import FilmSpec, draw
from training.world.camera import pan_margin, panned
from training.world.distractors import PAINTERS, choose_distractors
from training.world.events import chance_agreement, draw_strikes, pulse_curve

DRESSINGS = [{"texture": 0.8}, {"lamp": 0.8}, {"pan_px": 3.5}, {"distractors": 4}]
IDS = [next(iter(fields)) for fields in DRESSINGS]


def spec(scene="hammering_anvil", **fields):
    plain = {"scene": scene, "seed": 4, "duration_s": 2.0, "width_px": 64, "height_px": 64, "rate_hz": 16_000}
    return FilmSpec(**{**plain, **fields})


def fingerprint(frames):
    """Changes by far more than a millionth if things move, and by less if another processor rounds a few pixels."""
    return int((frames.ravel().astype(np.int64) * (np.arange(frames.size) % 251)).sum())


# Pictures and sounds as they were before there was any dressing.
BEFORE = [
    ("hammering_anvil", {"height_px": 48}, 2_405_649_341, 1721.1279),
    ("bouncing_ball", {"height_px": 48}, 2_329_362_180, 1612.9459),
    ("ringing_bell", {"height_px": 48}, 2_431_444_448, 2164.2096),
    ("clapping_blocks", {"height_px": 48}, 2_580_800_027, 559.2214),
    ("striking_cymbal", {"height_px": 48}, 2_545_139_406, 1595.8953),
    ("playing_drum", {"height_px": 48}, 2_761_218_837, 2615.5224),
    ("chopping_wood", {"height_px": 48}, 2_428_612_949, 781.4383),
    (
        "playing_drum",
        {"seed": 7, "duration_s": 1.5, "camera_shake_px": 3.5, "narration": True},
        6_553_597_947,
        4207.4823,
    ),
    (
        "chopping_wood",
        {"seed": 9, "duration_s": 1.5, "cut_at_s": 0.75, "cut_to": "ringing_bell"},
        4_977_816_661,
        1526.3505,
    ),
    (
        "bouncing_ball",
        {"seed": 9, "duration_s": 2.0, "width_px": 48, "height_px": 48, "fps": 12, "sound_scene": "striking_cymbal"},
        2_062_190_168,
        2546.9095,
    ),
]


@pytest.mark.parametrize(("scene", "fields", "picture", "loudness"), BEFORE)
def test_a_specification_without_dressing_gives_the_film_it_always_gave(scene, fields, picture, loudness):
    film = draw(spec(scene, **{"duration_s": 1.0, "rate_hz": 48_000, **fields}))
    assert fingerprint(film.frames) == pytest.approx(picture, rel=1e-6)
    assert np.abs(film.audio).sum(dtype=np.float64) == pytest.approx(loudness, rel=1e-6)


@pytest.mark.parametrize("fields", DRESSINGS, ids=IDS)
def test_each_dressing_changes_the_picture_and_neither_sound_nor_truth(fields):
    plain, dressed, again = draw(spec()), draw(spec(**fields)), draw(spec(**fields))
    assert dressed.frames.shape == plain.frames.shape
    assert np.abs(dressed.frames.astype(int) - plain.frames).mean() > 1.5
    assert np.array_equal(dressed.audio, plain.audio)
    assert np.array_equal(dressed.events_s, plain.events_s) and np.array_equal(dressed.sounds_s, plain.sounds_s)
    assert np.array_equal(dressed.frames, again.frames)


def test_texture_gives_the_wall_of_each_seed_a_pattern_of_its_own():
    patterns = []
    for seed in range(6):
        plain, patterned = (
            draw(spec("bouncing_ball", seed=seed, texture=texture, duration_s=0.1)).frames[0, :14, :, 0] + 1.0
            for texture in (0.0, 1.0)
        )
        patterns.append(patterned / plain)
        assert np.std(patterns[-1]) > 0.1
    for one, other in combinations(patterns, 2):
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] < 0.8


@pytest.mark.parametrize("size", [32, 128])
def test_a_texture_looks_the_same_at_every_size(size):
    coarse, fine = (
        draw(spec("bouncing_ball", texture=1.0, width_px=side, height_px=side, duration_s=0.1)).frames[0]
        for side in (size, 2 * size)
    )
    halved = fine.reshape(size, 2, size, 2, 3).mean(axis=(1, 3))
    assert np.corrcoef(coarse.ravel(), halved.ravel())[0, 1] > 0.95


def test_the_lamp_changes_slowly_and_not_with_the_strikes():
    film = draw(spec("clapping_hands", lamp=1.0, duration_s=8.0))
    corners = film.frames[:, :20, :4].mean(axis=(1, 2, 3)), film.frames[:, :20, -4:].mean(axis=(1, 2, 3))
    for corner in corners:
        assert np.ptp(corner) > 8
        steps = np.abs(np.diff(corner))
        strikes = np.round(film.events_s * film.fps).astype(int)
        strikes = strikes[(strikes > 0) & (strikes < len(steps))]
        assert steps.max() < 0.1 * np.ptp(corner) + 2
        assert np.median(steps[strikes - 1]) < 3 * np.median(steps) + 0.2


def test_a_pan_moves_the_still_wall_smoothly_by_no_more_than_asked():
    marked = np.zeros((96, 64 + 2 * 4, 64 + 2 * 4, 3), np.uint8)
    marked[:, 20, 50] = 255
    assert pan_margin(3.5) == 4
    moved = panned(marked, reach_px=3.5, fps=24, seed=1).astype(float).mean(axis=3)
    weight = moved.sum(axis=(1, 2))
    rows = (moved.sum(axis=2) @ np.arange(64)) / weight
    columns = (moved.sum(axis=1) @ np.arange(64)) / weight
    for path, home in ((rows, 16), (columns, 46)):
        assert np.abs(path - home).max() <= 3.5 + 0.1
        assert np.ptp(path) > 1 and np.abs(np.diff(path)).max() < 0.5
    assert np.any(np.abs(rows - np.round(rows)) > 0.1)


def test_pan_and_shake_go_together_and_a_standing_camera_returns_the_frames():
    film = draw(spec(pan_px=2.5, camera_shake_px=1.5))
    assert film.frames.shape == (48, 64, 64, 3)
    assert panned(film.frames, reach_px=0.0, fps=24, seed=1) is film.frames


@pytest.mark.parametrize("kind", range(len(PAINTERS)))
def test_every_distractor_moves_while_the_room_stands_still(kind):
    strikes = draw_strikes(1, duration_s=6.0, fps=24)
    seed = next(
        s
        for s in range(40)
        if choose_distractors(s, count=1, strikes=strikes, duration_s=6.0, fps=24)[0].painter is PAINTERS[kind]
    )
    plain, dressed = (
        draw(spec("bouncing_ball", seed=seed, distractors=count, duration_s=4.0)).frames.astype(int) for count in (0, 1)
    )
    there = np.abs(dressed - plain).max(axis=(1, 2, 3)) > 20
    assert there.mean() > 0.5
    added = dressed - plain
    assert (np.abs(np.diff(added, axis=0)).max(axis=(1, 2, 3)) > 20).sum() >= 3


@pytest.mark.parametrize("seed", range(4))
def test_what_moves_by_jerks_is_unlike_the_strikes_at_every_offset(seed):
    strikes = draw_strikes(seed, duration_s=6.0, fps=24)
    things = choose_distractors(seed, count=4, strikes=strikes, duration_s=6.0, fps=24)
    assert len({thing.painter for thing in things}) == 4

    def curve(times_s):
        return pulse_curve(times_s, duration_s=6.0, fps=24)

    for thing in things:
        assert chance_agreement(curve(strikes.times_s), curve(thing.jerks.times_s), fps=24) < 0.7
    for one, other in pairwise(things):
        assert not np.array_equal(one.jerks.times_s, other.jerks.times_s)


def test_a_static_film_stands_still_dressed_or_not():
    frames = draw(spec(static=True, texture=1.0, lamp=1.0, distractors=3)).frames
    assert (frames == frames[0]).all()


@pytest.mark.parametrize("fields", [{"texture": 1.5}, {"lamp": -0.1}, {"pan_px": -1.0}, {"distractors": -1}])
def test_refuses_a_dressing_out_of_range(fields):
    with pytest.raises(BadInput, match="do not make a film"):
        draw(spec(**fields))
