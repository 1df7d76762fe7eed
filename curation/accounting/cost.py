"""What the last curation run cost, kept in the home for whoever watches it."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from shards.files import write_atomic

NOTE = "last_cost.json"


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds by step, clips that are accepted, and when the run ended (seconds since 1970)."""

    seconds: dict[str, float]
    clips: int
    ended_s: float


def keep_cost(root: Path, seconds: Mapping[str, float], clips: int) -> None:
    """Note in a home what a run cost that ends now."""
    cost = Cost({name: round(took, 3) for name, took in seconds.items()}, clips, round(time.time(), 3))
    write_atomic(root / NOTE, json.dumps(asdict(cost)).encode())


def read_cost(root: Path) -> Cost | None:
    """What was noted; None where nothing was, or what is there cannot be read."""
    try:
        return Cost(**json.loads((root / NOTE).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
