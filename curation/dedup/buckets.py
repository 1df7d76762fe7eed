"""Numbers in any amount, sorted into files of which each is read as one array."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Buckets:
    """Files of 64-bit numbers: what belongs together is put into the same one."""

    def __init__(self, folder: Path, count: int, dtype: type[np.generic]) -> None:
        """`folder` is new; there are `count` buckets."""
        folder.mkdir()
        self._paths, self._dtype = [folder / str(number) for number in range(count)], dtype

    def add(self, which: NDArray[Any], numbers: NDArray[Any]) -> None:
        """Put each number into a bucket."""
        order = np.argsort(which, kind="stable")
        filled, begins = np.unique(which[order], return_index=True)
        for bucket, some in zip(filled, np.split(numbers[order], begins[1:]), strict=False):
            with self._paths[int(bucket)].open("ab") as file:
                some.tofile(file)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        """The buckets in order; each is forgotten once it was read."""
        for path in self._paths:
            yield np.fromfile(path, self._dtype) if path.exists() else np.zeros(0, self._dtype)
            path.unlink(missing_ok=True)
