"""From matching pairs to who stays: of copies the best."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

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


def copies(
    items: Sequence[Item], settings: DedupSettings, *, progress: Callable[[int], None] | None = None
) -> dict[str, str]:
    """Which item is a copy of which better one, by id; items that are not named stay.

    The better of two copies stays; of equal ones that of the lower id. What is a copy of something that does not stay
    itself stays, unless it is a copy of something that does: likeness is not handed on.
    """
    like: dict[int, list[int]] = {}
    for done, (first, second) in enumerate(_matches(items, settings)):
        like.setdefault(first, []).append(second)
        like.setdefault(second, []).append(first)
        if progress:
            progress(done + 1)
    stays, found = set[int](), dict[str, str]()
    for number in sorted(range(len(items)), key=lambda one: _order(items[one])):
        better = [other for other in like.get(number, ()) if other in stays]
        if better and not items[number].protected:
            found[items[number].id] = items[min(better, key=lambda one: _order(items[one]))].id
        else:
            stays.add(number)
    return found


def _matches(items: Sequence[Item], settings: DedupSettings) -> Iterable[tuple[int, int]]:
    yield from _same_bytes(items, settings)
    for pair in pairs([item.prints for item in items]):
        one, other = items[pair.first], items[pair.second]
        if one.protected and other.protected:
            continue
        if compare(one.prints, other.prints, shift_s=pair.shift_s, settings=settings).is_copy(settings):
            yield pair.first, pair.second


def _same_bytes(items: Sequence[Item], settings: DedupSettings) -> Iterable[tuple[int, int]]:
    """Clips of equal files under two names that share enough of their time."""
    by_file: dict[str, list[int]] = {}
    for number, item in enumerate(items):
        by_file.setdefault(item.sha256, []).append(number)
    for numbers in by_file.values():
        for place, first in enumerate(numbers):
            for second in numbers[place + 1 :]:
                one, other = items[first], items[second]
                shared = min(one.end_us, other.end_us) - max(one.start_us, other.start_us)
                shorter = min(one.end_us - one.start_us, other.end_us - other.start_us)
                if one.video_id != other.video_id and shared >= settings.overlap * shorter:
                    yield first, second


def _order(item: Item) -> tuple[Any, ...]:
    return (*(-part for part in item.rank), item.id)
