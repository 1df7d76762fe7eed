"""What a benchmark finds: rows, and goals met or missed; saved as JSON with the facts of the machine."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

Cell = str | int | float | bool | None
Row = dict[str, Cell]

RESULTS = Path(__file__).with_name("results")
NO_GOAL = "no goal"


@dataclass(frozen=True, slots=True)
class Goal:
    """One figure that was aimed at: what it is, what was wanted, what was found, and whether that is enough.

    `met` is None for a plain measurement, see `measurement`.
    """

    what: str
    wanted: str
    found: str
    met: bool | None

    @property
    def verdict(self) -> str:
        """See `verdict`."""
        return verdict(self.wanted, self.met)


def measurement(what: str, found: str) -> Goal:
    """A figure that stands among the goals to be read with them, and was not aimed at."""
    return Goal(what, NO_GOAL, found, met=None)


def verdict(wanted: str, met: bool | None) -> str:
    """ "met", "missed", or "-" for a plain measurement, which results that were kept earlier have down as met."""
    if met is None or wanted == NO_GOAL:
        return "-"
    return "met" if met else "missed"


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one benchmark.

    Attributes:
        rows: a table, every row with the same columns.
        goals: what was aimed at.
        notes: sentences that a reader of the figures needs.
        packages: distributions whose versions matter here.
        variant: what sets a run apart whose figures stand beside those of others, a device say; "" for the usual run.
    """

    rows: Sequence[Row]
    goals: Sequence[Goal] = ()
    notes: Sequence[str] = ()
    packages: Sequence[str] = field(default=("av", "numpy"))
    variant: str = ""


def machine_facts() -> dict[str, Cell]:
    """Processor, cores, memory in GiB, system and Python of this machine; no name or address of it."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory),
        "system": platform.system(),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def device_name(device: str) -> str:
    """A GPU's name, or that it is the processor."""
    import torch

    return torch.cuda.get_device_name(device) if device.startswith("cuda") else "the processor"


def document(name: str, arguments: Sequence[str], result: Result, *, machine: dict[str, Cell]) -> dict[str, object]:
    """All of a run as one JSON document; `machine` was looked at before the run, so its load is that of others."""
    return {
        "bench": f"{name}-{result.variant}" if result.variant else name,
        "command": " ".join(["clapboard bench", name, *arguments]),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine,
        "versions": {one: _version(one) for one in ("clapboard", *result.packages)},
        "goals": [asdict(goal) for goal in result.goals],
        "rows": list(result.rows),
        "notes": list(result.notes),
    }


def save(document: dict[str, object], folder: Path = RESULTS) -> Path:
    """Write the document as `folder/NAME.json`; the newest run of a benchmark's variant replaces the one before."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{document['bench']}.json"
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return path


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
