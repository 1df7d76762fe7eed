"""Folders and single media files as sources; a video's folder is its label."""

from pathlib import Path

from curation.outcomes import Outcome
from curation.sources.base import Read, RowFault, SourceRow, printable

SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ogg", ".ogv", ".flv", ".ts", ".mpg", ".mpeg", ".wmv"}
)


def read_folder(folder: Path) -> Read:
    """Every media file below a folder, in order of path; the name of its own folder is its label.

    Files whose name begins with a dot are none: some systems leave such next to real ones.
    """
    files = sorted(path for path in folder.rglob("*") if _is_media(path))
    if not files:
        yield RowFault(str(folder), 0, Outcome.FILE_MISSING, "no media file lies below this folder")
    for number, path in enumerate(files, start=1):
        yield _row(path, label=path.parent.name if path.parent != folder else "", table=str(folder), number=number)


def read_file(file: Path) -> Read:
    """One media file."""
    yield _row(file, label="", table=str(file), number=1)


def _is_media(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def _row(path: Path, *, label: str, table: str, number: int) -> SourceRow | RowFault:
    if str(path) != (shown := printable(str(path))):
        return RowFault(printable(table), number, Outcome.BAD_ENCODING, f"the file's name is not UTF-8: {shown}")
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
