"""VGGSound's list: `YouTube id, start second, label, split`, no header, clips of ten seconds (Chen et al. 2020)."""

import csv
import re
from pathlib import Path

from curation.outcomes import Outcome
from curation.sources.base import Read, RowFault
from curation.sources.identity import YOUTUBE_ID, youtube_link
from curation.sources.rows import row_of
from curation.sources.settings import SourceSettings

CLIP_S = 10
_LINE = re.compile(r"[A-Za-z0-9_-]{11},\d+(\.\d+)?,.+,(train|test)\s*")


def is_vggsound(head: str) -> bool:
    """Whether a table that begins so is VGGSound's."""
    return bool(_LINE.fullmatch(head.partition("\n")[0]))


def read_vggsound(file: Path, settings: SourceSettings) -> Read:  # noqa: ARG001
    """A row for each clip."""
    with file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
        reader = csv.reader(lines)
        for cells in reader:
            number = reader.line_num
            if len(cells) != 4 or not YOUTUBE_ID.fullmatch(cells[0]):
                yield RowFault(str(file), number, Outcome.BAD_LINE, "not: YouTube id, start, label, split")
                continue
            video, start, label, split = (cell.strip() for cell in cells)
            fields = {"url": youtube_link(video), "start": start, "end": _end(start), "label": label, "split": split}
            yield row_of(fields, file, number)


def _end(start: str) -> str:
    try:
        return str(float(start) + CLIP_S)
    except ValueError:
        return start
