"""AV-Align counts pairs of peaks, each once, as the published measure does."""

from functools import cache

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from curation.scores.av_align import AVAlignScore, matches, peaks, peaks_union

TIMES = st.lists(st.integers(0, 40), max_size=7).map(sorted)


def as_published(heard, seen, within):
    """The authors' measure as its code reads since issue 11 of guyyariv/TempoTokens: a motion peak is used up."""
    free = list(seen)
    pairs = 0
    for onset in heard:
        partner = next((peak for peak in free if peak - within < onset < peak + within), None)
        if partner is not None:
            free.remove(partner)
            pairs += 1
    return pairs


def most_pairs(heard, seen, within):
    """The most pairs that any choice makes, by trying all."""

    @cache
    def best(at, free):
        if at == len(heard):
            return 0
        tried = [best(at + 1, free)]
        for place in free:
            if abs(seen[place] - heard[at]) < within:
                tried.append(1 + best(at + 1, free - {place}))
        return max(tried)

    return best(0, frozenset(range(len(seen))))


@given(seen=TIMES, heard=TIMES, within=st.sampled_from([1.0, 2.5, 4.0, 9.0]))
@example(seen=[20], heard=[16, 18, 20, 22, 24], within=4.0)
@example(seen=[1, 5], heard=[4, 8], within=4.0)
def test_pairs_are_those_of_the_published_code_and_as_many_as_there_can_be(seen, heard, within):
    found = matches(np.array(seen, float), np.array(heard, float), within=within)
    assert found == as_published(heard, seen, within) == most_pairs(heard, seen, within)


def spikes(*ticks, length=200):
    curve = np.zeros(length)
    curve[list(ticks)] = 1.0
    return curve


@pytest.mark.parametrize(
    ("seen", "heard", "share"),
    [
        ((50, 100, 150), (51, 102, 147), 1.0),
        ((50,), (44, 47, 50, 53, 56), 1 / 5),
        ((44, 47, 50, 53, 56), (50,), 1 / 5),
        ((50, 100), (52, 140), 1 / 3),
        ((50,), (60,), 0.0),
        ((50,), (), 0.0),
        ((), (), 0.0),
    ],
)
def test_the_share_is_pairs_over_all_that_is_seen_or_heard(seen, heard, share):
    assert peaks(spikes(*seen)).tolist() == list(seen)
    assert peaks_union(spikes(*seen), spikes(*heard), within=8.0) == pytest.approx(share)


def test_peaks_a_whole_frame_apart_are_no_pair():
    assert peaks_union(spikes(50), spikes(54), within=4.0) == 0
    assert peaks_union(spikes(50), spikes(53), within=4.0) == 1


def test_rows_of_the_measure_that_matched_one_peak_many_times_are_measured_again():
    assert AVAlignScore.version == 2
