"""VGGSound's list: `YouTube id, start second, label, split`, no header, clips of ten seconds (Chen et al. 2020)."""

import re
from pathlib import Path

from curation.outcomes import Outcome
from curation.sources.base import Read, RowFault
from curation.sources.identity import YOUTUBE_ID, youtube_link
from curation.sources.records import BadRecord, Cells, records
from curation.sources.rows import row_of
from curation.sources.settings import SourceSettings
from curation.sources.text import lines_of, open_text

CLIP_S = 10
_LINE = re.compile(
    r"\"?[A-Za-z0-9_-]{11}\"?(?P<delimiter>[,;\t])\"?\d+(\.\d+)?\"?(?P=delimiter).+(?P=delimiter)\"?(train|test)\"?\s*"
)


def is_vggsound(head: str) -> bool:
    """Whether a table that begins so is VGGSound's."""
    return _line_of(head) is not None


def read_vggsound(file: Path, settings: SourceSettings) -> Read:  # noqa: ARG001
    """A row for each clip."""
    with open_text(file) as text:
        line = _line_of(text.read(4096))
    with open_text(file) as text:
        for one in records(lines_of(text), delimiter=line["delimiter"] if line else ",", is_row=_is_clip):
            if isinstance(one, BadRecord):
                yield RowFault(str(file), one.number, Outcome.BAD_LINE, one.detail)
            elif one.cells[0].startswith("#"):
                continue
            elif _is_clip(one.cells):
                yield row_of(_fields(one.cells), file, one.number)
            else:
                yield RowFault(str(file), one.number, Outcome.BAD_LINE, "not: YouTube id, start, label, split")


def _line_of(head: str) -> "re.Match[str] | None":
    """The first line of the list, behind comments."""
    lines = (line for line in head.splitlines() if line.strip() and not line.startswith("#"))
    return _LINE.fullmatch(next(lines, ""))


def _is_clip(cells: Cells) -> bool:
    return len(cells) == 4 and bool(YOUTUBE_ID.fullmatch(cells[0].strip()))


def _fields(cells: Cells) -> dict[str, str]:
    video, start, label, split = (cell.strip() for cell in cells)
    return {"url": youtube_link(video), "start": start, "end": _end(start), "label": label, "split": split}


def _end(start: str) -> str:
    try:
        return str(float(start) + CLIP_S)
    except ValueError:
        return start
