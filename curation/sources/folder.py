"""Folders and single media files as sources; a video's folder is its label.

What a file is called says whether it is taken; of a file with another ending its first bytes do. What looks like media
and cannot be taken is told: links that lead out of the folder, what was not downloaded whole, what cannot be read.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from curation.media.container import HEAD_BYTES
from curation.outcomes import Outcome
from curation.sources.base import Read, RowFault, SourceRow, surrogates_escaped
from curation.sources.settings import SourceSettings
from curation.sources.suffixes import ARCHIVES, SUFFIXES, UNFINISHED, begins_as_media

Wrong = tuple[Outcome, str]

PACKED = "it is packed; unpack it, to a .tar or to the files themselves"


def read_folder(folder: Path, settings: SourceSettings) -> Read:
    """Every media file below a folder, in order of path; the name of its own folder is its label.

    Files whose name begins with a dot are none: some systems leave such next to real ones.
    """
    number = 0
    for path, wrong in sorted(_found(folder, settings), key=lambda one: one[0]):
        number += 1
        if wrong:
            yield RowFault(surrogates_escaped(str(folder)), number, wrong[0], surrogates_escaped(f"{path}: {wrong[1]}"))
        else:
            yield _row(path, label=path.parent.name if path.parent != folder else "", table=str(folder), number=number)
    if not number:
        yield RowFault(str(folder), 0, Outcome.FILE_MISSING, "no media file lies below this folder")


def read_file(file: Path) -> Read:
    """One media file."""
    if file.suffix.lower() in ARCHIVES and file.is_file() and not begins_as_media(_head(file)):
        detail = f"{file}: {PACKED}"
        yield RowFault(surrogates_escaped(str(file)), 1, Outcome.NOT_A_VIDEO, surrogates_escaped(detail))
        return
    yield _row(file, label="", table=str(file), number=1)


def leads_out(path: Path, folder: Path) -> Wrong | None:
    """What is wrong with a path that is, or lies behind, a symbolic link out of a folder."""
    try:
        if path.resolve().is_relative_to(folder.resolve()):
            return None
    except (OSError, RuntimeError):
        # A circle of links, on some versions of Python.
        return Outcome.FILE_MISSING, "it is a symbolic link that leads nowhere"
    return Outcome.LINK_OUTSIDE, "it is a symbolic link that leads out of this folder"


def _found(folder: Path, settings: SourceSettings) -> Iterator[tuple[Path, Wrong | None]]:
    """What lies below a folder and is taken, or is not and has to be told."""
    unreadable: list[OSError] = []
    # With links followed a folder can be met again inside itself.
    seen = {folder.resolve()}
    for here, folders, files in os.walk(folder, followlinks=settings.follow_links, onerror=unreadable.append):
        for name in list(folders):
            path = Path(here, name)
            if path.is_symlink():
                if settings.follow_links and path.resolve() not in seen:
                    seen.add(path.resolve())
                    continue
                folders.remove(name)
                if not settings.follow_links and (wrong := leads_out(path, folder)):
                    yield path, wrong
        for name in files:
            if not name.startswith("."):
                yield from _judged(Path(here, name), folder, settings)
    for error in unreadable:
        yield Path(error.filename), (Outcome.FILE_MISSING, f"it cannot be read: {error.strerror}")


def _judged(path: Path, folder: Path, settings: SourceSettings) -> Iterator[tuple[Path, Wrong | None]]:
    """A file with what is wrong with it, if anything; nothing of one that is passed over."""
    suffix = path.suffix.lower()
    named = suffix in SUFFIXES
    if path.is_symlink() and not settings.follow_links and (wrong := leads_out(path, folder)):
        # It is not opened, so nothing is told of what it leads to, nor whether that is media.
        yield path, wrong
        return
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
        media = named or (regular and begins_as_media(_head(path)))
    except OSError as error:
        yield path, (Outcome.FILE_MISSING, f"it cannot be read: {error.strerror}")
        return
    if media and not regular:
        yield path, (Outcome.NOT_A_VIDEO, "it is no regular file")
    elif suffix == ".tar":
        yield path, (Outcome.NOT_A_VIDEO, "it is a tar; name it as a source of its own")
    elif suffix in ARCHIVES:
        yield path, (Outcome.NOT_A_VIDEO, PACKED)
    elif media and suffix in UNFINISHED:
        yield path, (Outcome.TRUNCATED, "its name says that it was not downloaded whole")
    elif media:
        yield path, None


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)


def _row(path: Path, *, label: str, table: str, number: int) -> SourceRow | RowFault:
    if str(path) != (shown := surrogates_escaped(str(path))):
        detail = f"the file's name is not UTF-8: {shown}"
        return RowFault(surrogates_escaped(table), number, Outcome.BAD_ENCODING, detail)
    return SourceRow(
        link=None,
        path=path.resolve(),
        start_us=None,
        end_us=None,
        caption="",
        label=label,
        licence="",
        table=table,
        row=number,
    )
