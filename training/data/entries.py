"""Windows of clips in columns: each rank knows those of a million clips, and as objects they would take gigabytes."""

import hashlib
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Entry:
    """One window of a clip.

    Attributes:
        key: its name in the cache.
        clip, number: the clip's key, and its row in the snapshot's index.
        video_id, caption, label: what the snapshot says of the clip.
        start_us: where the window begins in the clip.
    """

    key: str
    clip: str
    number: int
    video_id: str
    caption: str
    label: str
    start_us: int


@dataclass(frozen=True, eq=False)
class Entries(Sequence[Entry]):
    """A sequence of `Entry`, each made when it is asked for.

    Attributes:
        clips: arrow table, a row a clip: `key`, `video_id`, `caption`, `label`.
        numbers: (windows,) int32, the clip of each window.
        places: (windows,) int16, which window of its clip it is.
        starts_us: (windows,) int64, where it begins in the clip.
    """

    clips: Any = field(repr=False)
    numbers: NDArray[np.int32] = field(repr=False)
    places: NDArray[np.int16] = field(repr=False)
    starts_us: NDArray[np.int64] = field(repr=False)

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, at: int) -> Entry: ...
    @overload
    def __getitem__(self, at: slice) -> "Entries": ...

    def __getitem__(self, at: int | slice) -> "Entry | Entries":
        if isinstance(at, slice):
            return self.take(np.arange(len(self))[at])
        number = int(self.numbers[at])
        key, video_id, caption, label = (
            self.clips[name][number].as_py() or "" for name in ("key", "video_id", "caption", "label")
        )
        window = f"{key}-{self.places[at]}"
        return Entry(window, key, number, video_id, caption or label, label, int(self.starts_us[at]))

    def __iter__(self) -> Iterator[Entry]:
        return (self[at] for at in range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Entries) and self.digest() == other.digest()

    def __hash__(self) -> int:
        return hash(self.digest())

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "Entries":
        """Some of the windows."""
        return replace(self, numbers=self.numbers[rows], places=self.places[rows], starts_us=self.starts_us[rows])

    def digest(self) -> str:
        """Names clips and windows."""
        made = hashlib.sha256()
        for part in (self.numbers, self.places, self.starts_us):
            made.update(part.tobytes())
        for batch in self.clips["key"].chunks:
            made.update("\n".join(batch.to_pylist()).encode())
        return made.hexdigest()

    def labels(self) -> tuple[NDArray[np.int64], list[str]]:
        """(windows,) the class of each window, and the classes' names in their order."""
        return self._coded("label")

    def video_ids(self) -> list[str]:
        """The source videos, each once, sorted."""
        codes, names = self._coded("video_id")
        return sorted(names[code] for code in np.unique(codes))

    def of_videos(self, names: Set[str]) -> NDArray[np.bool_]:
        """(windows,) whether each is of one of these videos."""
        codes, there = self._coded("video_id")
        return np.array([name in names for name in there], bool)[codes]

    def _coded(self, column: str) -> tuple[NDArray[np.int64], list[str]]:
        """(windows,) numbers of names, and the names, sorted."""
        import pyarrow.compute as pc

        coded = pc.fill_null(self.clips[column].combine_chunks(), "").dictionary_encode()
        names = coded.dictionary.to_pylist()
        order = sorted(range(len(names)), key=names.__getitem__)
        rank = np.empty(len(names), np.int64)
        rank[order] = np.arange(len(names))
        codes = coded.indices.to_numpy(zero_copy_only=False)
        return rank[codes[self.numbers]], [names[place] for place in order]
