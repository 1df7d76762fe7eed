"""From matching pairs to who stays: of copies the best."""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Protocol

import numpy as np

from curation.dedup.candidates import pairs
from curation.dedup.fingerprint import Fingerprint
from curation.dedup.match import DedupSettings, compare


@dataclass(frozen=True, slots=True)
class Item:
    """A clip, or a piece of what a benchmark tests on.

    Attributes:
        id: of the clip, or NAME:FILE of a benchmark's.
        video_id, start_us, end_us: where it lies.
        sha256: of the file it lies in.
        prints: its own fingerprint, times from its start.
        rank: the highest of a group stays; benchmarks rank above everything.
        protected: it stays whatever else is there.
    """

    id: str
    video_id: str
    start_us: int
    end_us: int
    sha256: str
    prints: Fingerprint
    rank: tuple[Any, ...]
    protected: bool = False


class Items(Protocol):
    """Items in any number, such as a list of them: gone through once in order, and asked for by their number."""

    def __iter__(self) -> Iterator[Item]:
        """All of them."""
        ...

    def __getitem__(self, number: int, /) -> Item:
        """One of them."""
        ...


def copies(items: Items, settings: DedupSettings) -> dict[str, str]:
    """Which item is a copy of which better one, by id; items that are not named stay.

    The better of two copies stays; of equal ones that of the lower id. What is a copy of something that does not stay
    itself stays, unless it is a copy of something that does: likeness is not handed on.
    """
    like: dict[int, list[int]] = {}
    for first, second in _matches(items, settings):
        like.setdefault(first, []).append(second)
        like.setdefault(second, []).append(first)
    stays, found = set[int](), dict[str, str]()
    order = {number: _order(items[number]) for number in like}
    for number in sorted(like, key=order.__getitem__):
        better = [other for other in like[number] if other in stays]
        if better and not items[number].protected:
            found[items[number].id] = items[min(better, key=order.__getitem__)].id
        else:
            stays.add(number)
    return found


def _matches(items: Items, settings: DedupSettings) -> Iterator[tuple[int, int]]:
    files, videos = array("q"), array("q")

    def prints() -> Iterator[Fingerprint]:
        for item in items:
            files.append(hash(item.sha256))
            videos.append(hash(item.video_id))
            yield item.prints

    for pair in pairs(prints()):
        one, other = items[pair.first], items[pair.second]
        if one.protected and other.protected:
            continue
        if compare(one.prints, other.prints, shift_s=pair.shift_s, settings=settings).is_copy(settings):
            yield pair.first, pair.second
    for numbers in _in_files_of_two_names(files, videos):
        yield from _same_bytes({number: items[number] for number in numbers}, settings)


def _in_files_of_two_names(files: "array[int]", videos: "array[int]") -> Iterator[list[int]]:
    """The numbers of items of each file that lies under several names, by the hashes of files and of names."""
    order = np.lexsort((videos, files)) if files else np.zeros(0, int)
    file, video = np.asarray(files)[order], np.asarray(videos)[order]
    under_two = (file[1:] == file[:-1]) & (video[1:] != video[:-1])
    for one in np.unique(file[1:][under_two]):
        begin, end = np.searchsorted(file, one), np.searchsorted(file, one, side="right")
        yield sorted(order[begin:end].tolist())


def _same_bytes(items: dict[int, Item], settings: DedupSettings) -> Iterable[tuple[int, int]]:
    """Which items by number are of equal files under two names, and share enough of their time."""
    for (first, one), (second, other) in combinations(items.items(), 2):
        shared = min(one.end_us, other.end_us) - max(one.start_us, other.start_us)
        shorter = min(one.end_us - one.start_us, other.end_us - other.start_us)
        if one.sha256 == other.sha256 and one.video_id != other.video_id and shared >= settings.overlap * shorter:
            yield first, second


def _order(item: Item) -> tuple[Any, ...]:
    return (*(-part for part in item.rank), item.id)
