"""AudioSet's segment lists: `YouTube id, start, end, "machine ids of labels"` under comments (Gemmeke et al. 2017).

Names of labels come from `class_labels_indices.csv` where that lies beside the list; else the machine ids stay. Of
several labels the first is the row's class, all of them are its caption.
"""

import csv
from pathlib import Path

from curation.outcomes import Outcome
from curation.sources.base import Read, RowFault
from curation.sources.identity import YOUTUBE_ID, youtube_link
from curation.sources.records import BadRecord, Cells, records
from curation.sources.rows import row_of
from curation.sources.settings import SourceSettings
from curation.sources.text import lines_of, open_text

NAMES_FILE = "class_labels_indices.csv"
SPLITS = ("unbalanced_train", "balanced_train", "eval")


def is_audioset(head: str) -> bool:
    """Whether a table that begins so is one of AudioSet's."""
    return head.startswith("# Segments csv") or "# YTID, start_seconds, end_seconds" in head


def read_audioset(file: Path, settings: SourceSettings) -> Read:  # noqa: ARG001
    """A row for each segment; its split is in the name of the list."""
    names = _names(file.parent / NAMES_FILE)
    split = next((one for one in SPLITS if file.name.startswith(one)), "")
    with open_text(file) as text:
        for one in records(lines_of(text), delimiter=",", is_row=_is_segment, skip_space=True):
            if isinstance(one, BadRecord):
                yield RowFault(str(file), one.number, Outcome.BAD_LINE, one.detail)
            elif one.cells[0].startswith("#"):
                continue
            elif _is_segment(one.cells):
                video, start, end, labels = one.cells
                words = [names.get(each.strip(), each.strip()) for each in labels.split(",")]
                fields = {"url": youtube_link(video), "start": start, "end": end, "split": split}
                yield row_of(fields | {"label": words[0], "caption": ", ".join(words)}, file, one.number)
            else:
                yield RowFault(str(file), one.number, Outcome.BAD_LINE, "not: YouTube id, start, end, labels")


def _is_segment(cells: Cells) -> bool:
    return len(cells) == 4 and bool(YOUTUBE_ID.fullmatch(cells[0]))


def _names(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}
    with open_text(file) as text:
        rows = csv.DictReader(lines_of(text))
        return {row["mid"]: row["display_name"] for row in rows if {"mid", "display_name"} <= row.keys()}
