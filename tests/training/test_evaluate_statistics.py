import math

import numpy as np
import pytest

from training.evaluate.statistics import difference_of, estimate, mean_of, paired_test, win_rate


def videos(count, each=1):
    return [f"video-{n // each}" for n in range(count * each)]


def test_the_interval_of_a_mean_is_the_normal_one_for_many_independent_videos():
    values = np.random.default_rng(0).normal(3.0, 2.0, 400)
    found = mean_of(values, videos(400))
    half = 1.96 * values.std() / np.sqrt(400)
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.03)


def test_clips_of_one_video_are_no_more_witnesses_than_the_video():
    of_video = np.random.default_rng(1).normal(size=30)
    once, thrice = mean_of(of_video, videos(30)), mean_of(np.repeat(of_video, 3), videos(30, each=3))
    assert thrice.value == pytest.approx(once.value)
    assert thrice.high - thrice.low == pytest.approx(once.high - once.low)


def test_the_quick_mean_is_the_bootstrap_of_any_statistic():
    values, names = np.random.default_rng(2).normal(size=24), videos(8, each=3)
    slow = estimate(lambda rows: float(values[rows].mean()), names, resamples=2000)
    quick = mean_of(values, names)
    assert (quick.value, quick.low, quick.high) == pytest.approx((slow.value, slow.low, slow.high))


def test_what_is_unknown_counts_for_nothing_and_too_few_videos_have_no_interval():
    found = mean_of([1.0, math.nan, 3.0], videos(3))
    assert found.value == 2.0
    assert math.isnan(found.low)
    assert not found.tells
    assert math.isnan(mean_of([], []).value)


def test_a_difference_is_told_where_its_interval_leaves_zero_out():
    noise = np.random.default_rng(3).normal(size=(2, 40))
    assert difference_of(noise[0] + 2, noise[1], videos(40)).above_zero
    assert not difference_of(noise[0], noise[1], videos(40)).tells


def test_paired_tests_agree_with_what_is_known_of_signs():
    up = paired_test(list(np.arange(10) + 1.0), [0.0] * 10, videos(10))
    # All of ten signs alike: 2 in 1,024, exactly.
    assert up.permutation_p == pytest.approx(2 / 2**10)
    assert up.wilcoxon_p == pytest.approx(2 / 2**10)
    assert up.videos == 10
    same = paired_test([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0], videos(4))
    assert (same.permutation_p, same.wilcoxon_p) == (1.0, 1.0)
    assert math.isnan(paired_test([1.0, 2.0], [0.0, 0.0], videos(2)).permutation_p)


def test_a_win_rate_has_wilsons_interval():
    found = win_rate(7, 10)
    # Wilson (1927), as statsmodels' proportion_confint(7, 10, method="wilson") gives it.
    assert (found.value, found.low, found.high) == pytest.approx((0.7, 0.39677815, 0.89220870), abs=1e-6)
    assert (win_rate(0, 0).low, win_rate(0, 0).high) == (0.0, 1.0)
