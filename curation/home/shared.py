"""Cut clips that machines with homes of their own keep for each other, in a folder or an object store.

Each cut lies there as it lies in a home: its facts are written last, so whoever finds them finds all.
"""

from pathlib import Path

from curation.home.folder import Home
from shards.files import write_atomic
from shards.snapshot import is_remote, reaching


def share(home: Home, files: tuple[Path, ...]) -> None:
    """Copy a cut's files, the last of which says that it is whole, to where all machines find it.

    Raises:
        Unavailable: the object store does not answer, or not to us.
    """
    if (root := home.shared_cuts) is None:
        return
    for file in files:
        there = root / file.relative_to(home.cuts).as_posix()
        with reaching(there):
            if is_remote(there):
                there.write_bytes(file.read_bytes())
            else:
                write_atomic(there, file.read_bytes())


def borrow(home: Home, files: tuple[Path, ...]) -> bool:
    """Copy a cut that another machine made into this home; returns whether there was one.

    Raises:
        Unavailable: the object store does not answer, or not to us.
    """
    if (root := home.shared_cuts) is None:
        return False
    pairs = [(file, root / file.relative_to(home.cuts).as_posix()) for file in files]
    with reaching(root):
        if not pairs[-1][1].is_file():
            return False
        for here, there in pairs:
            write_atomic(here, there.read_bytes())
    return True


def shared_files(home: Home, clip_id: str) -> list[Path]:
    """All files of a clip's cuts that lie there.

    Raises:
        Unavailable: the object store does not answer, or not to us.
    """
    if (root := home.shared_cuts) is None:
        return []
    with reaching(root):
        return [file for file in root.glob(f"*/{clip_id}*") if file.name[len(clip_id) : len(clip_id) + 1] in (".", "-")]
