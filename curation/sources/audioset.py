"""AudioSet's segment lists: `YouTube id, start, end, "machine ids of labels"` under comments (Gemmeke et al. 2017).

Names of labels come from `class_labels_indices.csv` where that lies beside the list; else the machine ids stay. Of
several labels the first is the row's class, all of them are its caption.
"""

import csv
from pathlib import Path

from curation.outcomes import Outcome
from curation.sources.base import Read, RowFault
from curation.sources.identity import YOUTUBE_ID, youtube_link
from curation.sources.rows import row_of
from curation.sources.settings import SourceSettings

NAMES_FILE = "class_labels_indices.csv"
SPLITS = ("unbalanced_train", "balanced_train", "eval")


def is_audioset(head: str) -> bool:
    """Whether a table that begins so is one of AudioSet's."""
    return head.startswith("# Segments csv") or "# YTID, start_seconds, end_seconds" in head


def read_audioset(file: Path, settings: SourceSettings) -> Read:  # noqa: ARG001
    """A row for each segment; its split is in the name of the list."""
    names = _names(file.parent / NAMES_FILE)
    split = next((one for one in SPLITS if file.name.startswith(one)), "")
    with file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
        reader = csv.reader(lines, skipinitialspace=True)
        for cells in reader:
            number = reader.line_num
            if not cells or cells[0].startswith("#"):
                continue
            if len(cells) != 4 or not YOUTUBE_ID.fullmatch(cells[0]):
                yield RowFault(str(file), number, Outcome.BAD_LINE, "not: YouTube id, start, end, labels")
                continue
            video, start, end, labels = cells
            words = [names.get(one.strip(), one.strip()) for one in labels.split(",")]
            fields = {"url": youtube_link(video), "start": start, "end": end, "split": split}
            yield row_of(fields | {"label": words[0], "caption": ", ".join(words)}, file, number)


def _names(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}
    with file.open(encoding="utf-8", newline="") as lines:
        return {
            row["mid"]: row["display_name"] for row in csv.DictReader(lines) if {"mid", "display_name"} <= row.keys()
        }
