"""How right found cuts are: beside what truly is in a film, and by the windows that false ones cost."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.result import Row

TRUTH = Path(__file__).with_name("truth") / "natural_cuts.csv"

WITHIN_S = 0.05
"""A cut counts as found when it is placed within about one frame of film."""

GRADUAL_WITHIN_S = 0.5
"""Where a dissolve begins and ends nobody sees so exactly."""

WINDOW_S, STRIDE_S = 3.0, 0.5


@dataclass(frozen=True, slots=True)
class Event:
    """Something at which a shot ends: a cut at one instant, or a dissolve, fade or wipe that takes its time.

    A cut that is found where `kind` is "jump" (one take, a piece left out) or "unsure" is neither right nor wrong.
    """

    start_s: float
    end_s: float
    kind: str

    def is_near(self, at_s: float) -> bool:
        """Whether an instant lies within."""
        slack_s = GRADUAL_WITHIN_S if self.kind in GRADUAL else WITHIN_S
        return self.start_s - slack_s <= at_s <= self.end_s + slack_s


GRADUAL = ("dissolve", "fade", "wipe")


def natural_events() -> dict[str, list[Event]]:
    """What was seen in the filmed clips, by file name; clips that are not in it hold nothing of the kind."""
    events: dict[str, list[Event]] = {}
    with TRUTH.open(encoding="utf-8", newline="") as table:
        for row in csv.DictReader(line for line in table if not line.startswith("#")):
            event = Event(float(row["start_s"]), float(row["end_s"]), row["kind"])
            events.setdefault(row["file"], []).append(event)
    return events


@dataclass(slots=True)
class Tally:
    """Counts over many films."""

    films: int = 0
    cuts: int = 0
    cuts_found: int = 0
    false_cuts: int = 0
    gradual: int = 0
    gradual_found: int = 0
    windows: int = 0
    windows_lost: int = 0

    def add(self, found_s: Sequence[float], events: Sequence[Event], duration_s: float) -> None:
        """Count one film: the cuts that were found in it, and what is there."""
        self.films += 1
        cuts = [event for event in events if event.kind == "cut"]
        gradual = [event for event in events if event.kind in GRADUAL]
        self.cuts += len(cuts)
        self.gradual += len(gradual)
        self.cuts_found += sum(any(map(event.is_near, found_s)) for event in cuts)
        self.gradual_found += sum(any(map(event.is_near, found_s)) for event in gradual)
        self.false_cuts += sum(not any(event.is_near(at_s) for event in events) for at_s in found_s)
        for start_s in np.arange(0.0, duration_s - WINDOW_S, STRIDE_S):
            end_s = start_s + WINDOW_S
            if not any(event.start_s < end_s and start_s < event.end_s + WITHIN_S for event in events):
                self.windows += 1
                self.windows_lost += any(start_s < at_s < end_s for at_s in found_s)

    @property
    def recall(self) -> float:
        """Share of the true cuts that were found."""
        return self.cuts_found / max(self.cuts, 1)

    @property
    def precision(self) -> float:
        """Share of true cuts among all that was found and is not neither right nor wrong."""
        return self.cuts_found / max(self.cuts_found + self.false_cuts, 1)

    @property
    def f1(self) -> float:
        """Harmonic mean of the two."""
        return 2 * self.precision * self.recall / max(self.precision + self.recall, 1e-9)

    @property
    def lost(self) -> float:
        """Share of the windows that hold nothing at which a shot ends and are lost all the same."""
        return self.windows_lost / max(self.windows, 1)

    def row(self, films: str, finder: str, cpu_s: float) -> Row:
        """The figures; those of what is not there stay empty."""
        return {
            "films": films,
            "finder": finder,
            "count": self.films,
            "cuts": self.cuts,
            "recall": round(self.recall, 3) if self.cuts else None,
            "precision": round(self.precision, 3) if self.cuts else None,
            "f1": round(self.f1, 3) if self.cuts else None,
            "false_cuts": self.false_cuts,
            "gradual_found": f"{self.gradual_found} of {self.gradual}" if self.gradual else None,
            "windows": self.windows,
            "windows_lost": round(self.lost, 4) if self.windows else None,
            "cpu_s": round(cpu_s, 1),
        }
