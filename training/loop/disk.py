"""A full disk: said before hours are spent where it can be foreseen, and in plain words where not."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shards.errors import TrainingError
from shards.files import FULL

_FULL = {*FULL, errno.EFBIG}
_BYTES_PER_WEIGHT = 16
"""In a checkpoint: a weight, its average and two moments of float32."""


@contextmanager
def disk_to_spare(root: Path) -> Iterator[None]:
    """Say what a full disk under `root` means for a run; whatever was written whole is still there.

    Raises:
        TrainingError: the disk is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise TrainingError(
            f"no room to write {error.filename or root}: {error.strerror}",
            remedy=f"the last checkpoint is kept; free some of {root}, then run the same command again",
        ) from error


def check_room(run_dir: Path, *, weights: int, keep: int) -> None:
    """See that a run's checkpoints will fit: `keep` of them, the best, and one that is being written.

    Raises:
        TrainingError: they will not.
    """
    wanted, (place, free) = weights * _BYTES_PER_WEIGHT * (keep + 1), free_at(run_dir)
    if free < wanted:
        raise TrainingError(
            f"checkpoints will take {wanted / 2**30:.2f} GiB, and {place} has {free / 2**30:.2f} GiB free",
            remedy="free some, or keep fewer: --set keep=1",
        )


def free_at(folder: Path) -> tuple[Path, int]:
    """Bytes that are free where a folder lies or would, and the nearest one above that is there."""
    place = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    return place, shutil.disk_usage(place).free
