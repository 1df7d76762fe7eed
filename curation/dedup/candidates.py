"""Find pairs that may be copies among very many clips without comparing all: those that share words of their hashes.

A word is a part of a hash that survives by chance in some moments of a copy. Pairs that share at least two at one shift
in time are worth a look; words that very many clips share say nothing and are passed over. Words are as short as the
number of clips allows: short ones survive more often, long ones are shared by chance less often.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curation.dedup.fingerprint import SOUND_HZ, Fingerprint, mirrored

COMMON = 48
"""A word in more places than this is passed over."""

VOTES = 2
STEP_MS = 250
"""Shifts are told apart as finely as this."""

SHORTEST_BITS, LONGEST_BITS = 16, 26
FAMILY_BITS, CLIP_BITS, TIME_BITS = 2, 24, 11

Keys = NDArray[np.uint64]
"""A number for each word in each place: family, word, variant, clip, time side by side, so that sorting groups them."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two clips by number, first < second, and time in the second minus time in the first."""

    first: int
    second: int
    shift_s: float


def pairs(prints: Sequence[Fingerprint]) -> Iterator[Pair]:
    """Pairs with at least two words in common at one shift, in order."""
    found: dict[tuple[int, int], tuple[int, int]] = {}
    for words in (_picture_words(prints), _sound_words(prints)):
        for first, second, shift, votes in _meetings(words):
            if votes > found.get((first, second), (0, 0))[0]:
                found[first, second] = (votes, shift)
    for (first, second), (_, shift) in sorted(found.items()):
        yield Pair(first, second, shift * STEP_MS / 1000)


def _picture_words(prints: Sequence[Fingerprint]) -> Keys:
    """Three parts of each picture's hash, and of what it is in a mirror."""
    hashes, clip = _joined([one.picture for one in prints])
    at, _ = _joined([one.still_ms // np.uint32(STEP_MS) for one in prints])
    bits = min(21, _bits(6 * len(hashes)))
    parts = []
    for variant, version in enumerate((hashes, mirrored(hashes))):
        parts += [_keys(family, version >> np.uint64(21 * family), bits, variant, clip, at) for family in range(3)]
    return np.concatenate(parts)


def _sound_words(prints: Sequence[Fingerprint]) -> Keys:
    """The lower and the upper bands of each moment.

    Sounds of another pitch are not looked for: their pictures are the same, and by those they are found.
    """
    moments, clip = _joined([one.sound for one in prints])
    per_step = SOUND_HZ * STEP_MS // 1000
    at, _ = _joined([np.arange(len(one.sound), dtype=np.uint64) // np.uint64(per_step) for one in prints])
    heard = moments != 0
    moments, clip, at = moments[heard], clip[heard], at[heard]
    bits = _bits(2 * len(moments))
    upper = moments >> np.uint64(32 - bits)
    return np.concatenate([_keys(family, words, bits, 0, clip, at) for family, words in enumerate((moments, upper))])


def _joined(series: Sequence[NDArray]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:  # type: ignore[type-arg]
    """All series in a row, and the number of the one that each value is from."""
    values = np.concatenate([np.zeros(0, np.uint64), *(one.astype(np.uint64) for one in series)])
    return values, np.repeat(np.arange(len(series), dtype=np.uint64), [len(one) for one in series])


def _bits(words: int) -> int:
    """So long that a word is in one of four places by chance."""
    return int(np.clip(math.ceil(math.log2(max(words, 1))) + 2, SHORTEST_BITS, LONGEST_BITS))


def _keys(family: int, words: Keys, bits: int, variant: int, clip: Keys, at: Keys) -> Keys:
    word = (words & np.uint64((1 << bits) - 1)) | np.uint64(family << LONGEST_BITS)
    place = (np.uint64(variant << CLIP_BITS) | clip) << np.uint64(TIME_BITS)
    time = np.minimum(at, np.uint64((1 << TIME_BITS) - 1))
    return np.asarray((word << np.uint64(1 + CLIP_BITS + TIME_BITS)) | place | time, np.uint64)


def _meetings(keys: Keys) -> list[tuple[int, int, int, int]]:
    """(first, second, shift, votes) of pairs that share enough words at one shift."""
    # A word twice at one time in one clip is one; one that goes on and on in a clip is something that stands still.
    keys = np.unique(keys)
    going_on = np.zeros(len(keys), bool)
    going_on[1:] = keys[1:] - keys[:-1] == 1
    keys = keys[~going_on]
    word = keys >> np.uint64(1 + CLIP_BITS + TIME_BITS)
    edges = np.flatnonzero(np.concatenate([[True], word[1:] != word[:-1], [True]])) if len(word) else np.zeros(1, int)
    sizes = np.repeat(np.diff(edges), np.diff(edges))
    shared = (sizes > 1) & (sizes <= COMMON)
    keys, word = keys[shared], word[shared]
    found = []
    for lag in range(1, min(COMMON, len(keys))):
        meet = np.flatnonzero(word[lag:] == word[:-lag])
        if not len(meet):
            break
        found.append(_shifts(keys[meet], keys[meet + lag]))
    if not found:
        return []
    values, votes = np.unique(np.concatenate(found), return_counts=True)
    enough = votes >= VOTES
    return [_parts(int(value), int(count)) for value, count in zip(values[enough], votes[enough], strict=True)]


def _shifts(one: Keys, other: Keys) -> NDArray[np.int64]:
    """Which clips meet at which shift, as one number each; no clip meets itself, no mirror another."""
    both = (one, other)
    clips = [_field(keys, TIME_BITS, CLIP_BITS) for keys in both]
    variants = [_field(keys, TIME_BITS + CLIP_BITS, 1) for keys in both]
    times = [_field(keys, 0, TIME_BITS) for keys in both]
    swapped = clips[0] > clips[1]
    # A word that meets one in a mirror does so twice, since a mirror's mirror is the thing itself; once is enough.
    mirror_of_lower = np.where(swapped, variants[1], variants[0]) == 1
    good = (clips[0] != clips[1]) & ~mirror_of_lower
    first, second, shift, swapped = clips[0][good], clips[1][good], (times[1] - times[0])[good], swapped[good]
    low, high = np.where(swapped, second, first), np.where(swapped, first, second)
    place = np.where(swapped, -shift, shift) + (1 << TIME_BITS)
    number = (low << 38) | (high << 13) | place
    # Half a step more counts as well, so that no shift falls between two.
    return np.concatenate([number, number + 1])


def _field(keys: Keys, first: int, bits: int) -> NDArray[np.int64]:
    return ((keys >> np.uint64(first)) & np.uint64((1 << bits) - 1)).astype(np.int64)


def _parts(value: int, votes: int) -> tuple[int, int, int, int]:
    return value >> 38, (value >> 13) & ((1 << CLIP_BITS) - 1), (value & 0x1FFF) - (1 << TIME_BITS), votes
