"""What `clapboard doctor` says of one part of the machine."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a part is: fine, lacking (some things will not run, or not as safely) or blocked (nothing will)."""

    OK = "ok"
    LACKING = "lacking"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Finding:
    """One part of the machine: how it is, what was found, and what mends it."""

    part: str
    state: State
    found: str
    remedy: str = ""
