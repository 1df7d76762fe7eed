"""Strike times: irregular, on the frame grid, and unlike themselves at any other offset."""

import numpy as np
import pytest

from training.world.events import chance_agreement, draw_strikes, pulse_curve

FPS = 24


def curve(times):
    return pulse_curve(times, duration_s=6.0, fps=FPS)


@pytest.mark.parametrize("seed", range(8))
def test_gaps_are_irregular_and_between_a_third_and_nine_tenths_of_a_second(seed):
    strikes = draw_strikes(seed, duration_s=6.0, fps=FPS)
    gaps = np.diff(strikes.times_s)
    assert gaps.min() >= 0.35 and gaps.max() <= 0.9
    assert gaps.std() > 0.05
    assert strikes.times_s[0] < 0 and strikes.times_s[-1] >= 7.0
    assert ((strikes.strengths >= 0.7) & (strikes.strengths <= 1.0)).all()


@pytest.mark.parametrize("duration_s", [0.5, 2.0, 6.0, 31.0])
def test_strikes_lie_on_frames_and_surround_the_film(duration_s):
    times = draw_strikes(3, duration_s=duration_s, fps=FPS).times_s
    assert np.allclose(times * FPS, np.round(times * FPS))
    assert times[0] <= 0 and times[-1] > duration_s


def test_the_same_seed_gives_the_same_strikes_and_another_seed_gives_others():
    first, second, other = (draw_strikes(seed, duration_s=6.0, fps=FPS) for seed in (5, 5, 6))
    assert np.array_equal(first.times_s, second.times_s)
    assert not np.array_equal(first.times_s, other.times_s)


@pytest.mark.parametrize("seed", range(6))
def test_no_other_offset_makes_a_sequence_agree_with_itself(seed):
    own = curve(draw_strikes(seed, duration_s=6.0, fps=FPS).times_s)
    assert chance_agreement(own, own, fps=FPS) < 0.5
    assert chance_agreement(own, own.copy(), fps=FPS) > 0.99


@pytest.mark.parametrize("seed", range(6))
def test_unrelated_strikes_agree_at_no_offset(seed):
    own = draw_strikes(seed, duration_s=6.0, fps=FPS).times_s
    foreign = draw_strikes(seed + 100, duration_s=6.0, fps=FPS, unlike=own).times_s
    assert chance_agreement(curve(own), curve(foreign), fps=FPS) < 0.6


def test_a_striker_touches_at_the_strike_and_is_fastest_there():
    strikes = draw_strikes(1, duration_s=6.0, fps=FPS)
    event = strikes.times_s[3]
    lifts = [strikes.at(event + step / FPS).lift() for step in range(-4, 5)]
    assert lifts[4] == pytest.approx(0.0, abs=1e-6)
    assert np.argmax(np.abs(np.diff(lifts))) == 3


def test_two_sticks_take_turns():
    strikes = draw_strikes(1, duration_s=6.0, fps=FPS)
    for index in (3, 4):
        moment = strikes.at(strikes.times_s[index])
        assert moment.lift(side=index % 2) == pytest.approx(0.0, abs=1e-6)
        assert moment.lift(side=(index + 1) % 2) > 0.3
