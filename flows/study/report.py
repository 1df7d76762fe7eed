"""What a study leaves for readers: figures as JSON, the answer in words."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flows.study.data import read_data
from flows.study.outcome import ArmResult
from flows.study.settings import StudySettings
from flows.study.table import answer, table
from shards.files import write_atomic

REPORT = "report"


@dataclass(frozen=True, slots=True)
class Report:
    """The table, the answer, and where all of it lies."""

    rows: list[dict[str, str]]
    answer: str
    folder: Path

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {"arms": self.rows, "answer": self.answer, "folder": str(self.folder)}


def write_report(root: Path, results: Sequence[ArmResult], settings: StudySettings) -> Report:
    """Write `report/` in the study's folder."""
    data, folder = read_data(root), root / REPORT
    rows, found = table(results, data, settings), answer(results)
    if found.share is None:
        said = "Two stages did not reach what the whole curated set reaches alone, with any share of it."
    else:
        high = "never" if math.isinf(found.high) else f"{found.high:.0%}"
        said = (
            f"Two stages reached what the whole curated set reaches alone with {found.share:.0%} of it (95 % of draws: "
            f"from {found.low:.0%} to {high}; {found.never:.0%} of draws: never)."
        )
    folder.mkdir(parents=True, exist_ok=True)
    whole = {"settings": settings.model_dump(), "data": asdict(data), "table": rows, "answer": asdict(found)}
    write_atomic(folder / "study.json", json.dumps(whole | {"results": [asdict(one) for one in results]}).encode())
    return Report(rows, said, folder)
