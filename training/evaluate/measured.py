"""What was measured of one clip: kept on disk as it is finished, so that a killed evaluation goes on where it was."""

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from shards.files import write_atomic
from training.evaluate.base import Rows

FILM, TRUTH = "film", "truth"
"""Whose value it is: the player's, the true clip's, or a control's by its own name."""

_INFO = "info"


@dataclass
class Measured:
    """Values by (metric, whose) and features of metrics of sets; `keys` names what each was made from.

    Attributes:
        name, video_id, caption: the clip's.
        keys: (metric, whose) -> protocol and content, so that what changed is measured anew and nothing else.
        values, features: what was found.
    """

    name: str
    video_id: str
    caption: str
    keys: dict[tuple[str, str], str] = field(default_factory=dict)
    values: dict[tuple[str, str], float] = field(default_factory=dict)
    features: dict[tuple[str, str], Rows] = field(default_factory=dict)

    def lacks(self, metric: str, whose: str, key: str) -> bool:
        """Whether it still has to be measured."""
        return self.keys.get((metric, whose)) != key

    def put(self, metric: str, whose: str, key: str, found: float | Rows) -> None:
        """Note what was found."""
        self.keys[metric, whose] = key
        if isinstance(found, float):
            self.values[metric, whose] = found
        else:
            self.features[metric, whose] = found

    def save(self, path: Path) -> None:
        """One file of arrays; it appears whole or not at all."""
        info: dict[str, Any] = {
            "clip": [self.name, self.video_id, self.caption],
            "keys": [[*at, key] for at, key in self.keys.items()],
            "values": [[*at, value] for at, value in self.values.items()],
            "features": [list(at) for at in self.features],
        }
        arrays: dict[str, Any] = {f"rows_{number}": rows for number, rows in enumerate(self.features.values())}
        held = io.BytesIO()
        np.savez_compressed(held, **arrays | {_INFO: np.frombuffer(json.dumps(info).encode(), np.uint8)})
        write_atomic(path, held.getvalue())

    @classmethod
    def load(cls, path: Path) -> "Measured":
        """What `save` wrote."""
        with np.load(path, allow_pickle=False) as kept:
            info = json.loads(kept[_INFO].tobytes())
            made = cls(*info["clip"])
            made.keys = {(metric, whose): key for metric, whose, key in info["keys"]}
            made.values = {(metric, whose): float(value) for metric, whose, value in info["values"]}
            made.features = {(metric, whose): kept[f"rows_{n}"] for n, (metric, whose) in enumerate(info["features"])}
        return made
