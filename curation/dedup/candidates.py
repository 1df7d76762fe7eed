"""Find pairs that may be copies among very many clips without comparing all: those that share words of their hashes.

A word is a part of a hash that survives by chance in some moments of a copy. Pairs that share at least two at one shift
in time are worth a look; words that very many clips share say nothing and are passed over. Words are as short as the
number of clips allows: short ones survive more often, long ones are shared by chance less often.
"""

import hashlib
import math
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.dedup.buckets import Buckets
from curation.dedup.fingerprint import SOUND_HZ, Fingerprint, mirrored
from shards.errors import BadInput

COMMON = 48
"""A word in more places than this is passed over."""

VOTES = 2
STEP_MS = 250
"""Shifts are told apart as finely as this."""

SHORTEST_BITS, LONGEST_BITS = 16, 26
FAMILY_BITS, CLIP_BITS, TIME_BITS = 2, 24, 11
SHIFT_BITS = 13

READ_AT_ONCE = 1 << 18
"""Hashes that are in memory at a time."""

WORDS_AT_ONCE = 1 << 20
"""Words that are in memory at a time, on average: 8 MiB, and some times that while they are sorted [ours]."""

CLIPS_AT_ONCE_BITS = 13
"""Pairs are counted for 2 to the power of so many first clips at a time [ours]."""

Keys = NDArray[np.uint64]
"""A number for each word in each place: family, word, variant, clip, time side by side, so that sorting groups them."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two clips by number, and time in the second minus time in the first.

    Which is the first depends on what they look and sound like, not on their numbers, so that whether two are copies
    does not depend on what they are called.
    """

    first: int
    second: int
    shift_s: float


def pairs(prints: Iterable[Fingerprint]) -> Iterator[Pair]:
    """Pairs with at least two words in common at one shift, each once.

    Hashes, words and meetings lie in temporary files (some 8 KiB a clip), a part of each is in memory at a time.

    Raises:
        BadInput: there are more than 16 million clips.
    """
    with tempfile.TemporaryDirectory(prefix="clapboard-pairs-") as name:
        folder, contents = Path(name), array("Q")
        with _Written(folder / "stills") as stills, _Written(folder / "moments") as moments:
            for clip, one in enumerate(prints):
                if clip >> CLIP_BITS:
                    raise BadInput(
                        f"copies are looked for among {1 << CLIP_BITS:,} clips at most",
                        remedy="set dedup.enabled: false, or curate in homes of their own",
                    )
                stills.add(one.picture, clip, one.still_ms // np.uint32(STEP_MS))
                heard = np.flatnonzero(one.sound)
                moments.add(one.sound[heard], clip, heard // (SOUND_HZ * STEP_MS // 1000))
                contents.append(_content(one))
            # Of equal ones, the earlier has the lower rank.
            ranks = np.argsort(np.argsort(contents, kind="stable"))
            found = (
                _meetings(_picture_words(stills), 6 * stills.count, ranks, folder / "pictures"),
                _meetings(_sound_words(moments), 2 * moments.count, ranks, folder / "sounds"),
            )
            for kinds in zip(*found, strict=True):
                yield from _best(kinds)


def _content(one: Fingerprint) -> int:
    """A number that only equal clips share, but for chance."""
    return int.from_bytes(hashlib.blake2b(b"".join(one.to_bytes()), digest_size=8).digest(), "big")


class _Written:
    """Hashes of all clips in a file, each with the clip and the step in time that it is of."""

    def __init__(self, path: Path) -> None:
        self._file, self.count = path.open("w+b"), 0

    def __enter__(self) -> "_Written":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, hashes: NDArray[Any], clip: int, at: NDArray[Any]) -> None:
        time = np.minimum(at.astype(np.uint64), np.uint64((1 << TIME_BITS) - 1))
        self._file.write(np.stack([hashes.astype(np.uint64), np.uint64(clip << TIME_BITS) | time], axis=1).tobytes())
        self.count += len(hashes)

    def read(self) -> Iterator[tuple[Keys, Keys]]:
        """Hashes and their places, some at a time."""
        self._file.flush()
        for begin in range(0, self.count, READ_AT_ONCE):
            some = np.fromfile(self._file.name, np.uint64, 2 * READ_AT_ONCE, offset=16 * begin).reshape(-1, 2)
            yield some[:, 0], some[:, 1]


def _picture_words(stills: _Written) -> Iterator[Keys]:
    """Three parts of each picture's hash, and of what it is in a mirror."""
    bits = min(21, _bits(6 * stills.count))
    for hashes, places in stills.read():
        for variant, version in enumerate((hashes, mirrored(hashes))):
            for family in range(3):
                yield _keys(family, version >> np.uint64(21 * family), bits, variant, places)


def _sound_words(moments: _Written) -> Iterator[Keys]:
    """The lower and the upper bands of each moment.

    Sounds of another pitch are not looked for: their pictures are the same, and by those they are found.
    """
    bits = _bits(2 * moments.count)
    for heard, places in moments.read():
        for family, words in enumerate((heard, heard >> np.uint64(32 - bits))):
            yield _keys(family, words, bits, 0, places)


def _bits(words: int) -> int:
    """So long that a word is in one of four places by chance."""
    return int(np.clip(math.ceil(math.log2(max(words, 1))) + 2, SHORTEST_BITS, LONGEST_BITS))


def _keys(family: int, words: Keys, bits: int, variant: int, places: Keys) -> Keys:
    word = (words & np.uint64((1 << bits) - 1)) | np.uint64(family << LONGEST_BITS)
    place = np.uint64(variant << (CLIP_BITS + TIME_BITS)) | places
    return np.asarray((word << np.uint64(1 + CLIP_BITS + TIME_BITS)) | place, np.uint64)


def _word(keys: Keys) -> Keys:
    return np.asarray(keys >> np.uint64(1 + CLIP_BITS + TIME_BITS), np.uint64)


_Meetings = tuple[NDArray[np.int64], NDArray[np.int64]]
"""First clip, second clip and shift as one number each, and by how many words they meet."""


def _meetings(words: Iterable[Keys], count: int, ranks: NDArray[np.int64], folder: Path) -> Iterator[_Meetings]:
    """Pairs that share enough words at one shift, for some first clips at a time; the lower rank comes first."""
    folder.mkdir()
    files = 1 + count // WORDS_AT_ONCE
    by_word = Buckets(folder / "words", files, np.uint64)
    for keys in words:
        by_word.add(_word(keys) % np.uint64(files), keys)
    by_first = Buckets(folder / "pairs", 1 + (len(ranks) >> CLIPS_AT_ONCE_BITS), np.int64)
    for keys in by_word:
        for numbers in _meeting(keys, ranks):
            by_first.add(numbers >> (SHIFT_BITS + CLIP_BITS + 1 + CLIPS_AT_ONCE_BITS), numbers)
    for numbers in by_first:
        values, votes = np.unique(numbers, return_counts=True)
        enough = votes >= VOTES
        yield values[enough], votes[enough]


def _meeting(keys: Keys, ranks: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Which clips meet at which shifts, of all places of some words."""
    # A word twice at one time in one clip is one; one that goes on and on in a clip is something that stands still.
    keys = np.unique(keys)
    going_on = np.zeros(len(keys), bool)
    going_on[1:] = keys[1:] - keys[:-1] == 1
    keys = keys[~going_on]
    word = _word(keys)
    edges = np.flatnonzero(np.concatenate([[True], word[1:] != word[:-1], [True]])) if len(word) else np.zeros(1, int)
    sizes = np.repeat(np.diff(edges), np.diff(edges))
    shared = (sizes > 1) & (sizes <= COMMON)
    keys, word = keys[shared], word[shared]
    for lag in range(1, min(COMMON, len(keys))):
        meet = np.flatnonzero(word[lag:] == word[:-lag])
        if not len(meet):
            return
        yield _shifts(keys[meet], keys[meet + lag], ranks)


def _shifts(one: Keys, other: Keys, ranks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which clips meet at which shift, as one number each; no clip meets itself, no mirror another."""
    both = (one, other)
    clips = [_field(keys, TIME_BITS, CLIP_BITS) for keys in both]
    variants = [_field(keys, TIME_BITS + CLIP_BITS, 1) for keys in both]
    times = [_field(keys, 0, TIME_BITS) for keys in both]
    swapped = ranks[clips[0]] > ranks[clips[1]]
    # A word that meets one in a mirror does so twice, since a mirror's mirror is the thing itself; once is enough.
    mirror_of_lower = np.where(swapped, variants[1], variants[0]) == 1
    good = (clips[0] != clips[1]) & ~mirror_of_lower
    first, second, shift, swapped = clips[0][good], clips[1][good], (times[1] - times[0])[good], swapped[good]
    low, high = np.where(swapped, second, first), np.where(swapped, first, second)
    place = np.where(swapped, -shift, shift) + (1 << TIME_BITS)
    number = (low << (SHIFT_BITS + CLIP_BITS + 1)) | (high << SHIFT_BITS) | place
    # Half a step more counts as well, so that no shift falls between two.
    return np.concatenate([number, number + 1])


def _field(keys: Keys, first: int, bits: int) -> NDArray[np.int64]:
    return ((keys >> np.uint64(first)) & np.uint64((1 << bits) - 1)).astype(np.int64)


def _best(kinds: Iterable[_Meetings]) -> Iterator[Pair]:
    """Each pair once, at the shift at which most words of one kind meet."""
    values, votes = (np.concatenate(some) for some in zip(*kinds, strict=True))
    pair = values >> SHIFT_BITS
    # What is equal stays in order: pictures before sounds, earlier shifts before later ones.
    order = np.lexsort((-votes, pair))
    for value in values[order[np.flatnonzero(np.diff(pair[order], prepend=-1))]].tolist():
        first, second = value >> (SHIFT_BITS + CLIP_BITS + 1), (value >> SHIFT_BITS) & ((1 << CLIP_BITS) - 1)
        yield Pair(first, second, ((value & ((1 << SHIFT_BITS) - 1)) - (1 << TIME_BITS)) * STEP_MS / 1000)
