"""What a study keeps of each arm as a file: its outcome on drawn films, and its probe on filmed ones."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shards.files import write_atomic

if TYPE_CHECKING:
    from training.loop.probe import SyncProbe


@dataclass(frozen=True, slots=True)
class ArmResult:
    """What came of one arm with one seed.

    Attributes:
        arm, group, seed: which one.
        curated_share: of the curated films that it has seen.
        run: the folder of its last stage, in the study's.
        windows: that its last stage trained on.
        f1: of strikes within one frame, all films together.
        error_ms: median distance of pairs.
        frechet_motion, frechet_pixels: from true films (the stand-ins for FVD and FID).
        shift_gap, shift_gap_error: what a shifted sound costs on films that its last stage held out.
        films: per film (strikes found, strikes of the sound, pairs): intervals are drawn over films.
    """

    arm: str
    group: str
    seed: int
    curated_share: float
    run: str
    windows: int
    f1: float
    error_ms: float
    frechet_motion: float
    frechet_pixels: float
    shift_gap: float
    shift_gap_error: float
    films: list[tuple[int, int, int]]


def read_result(path: Path) -> ArmResult:
    """An arm's file."""
    kept = json.loads(path.read_text(encoding="utf-8"))
    return ArmResult(**kept | {"films": [tuple(film) for film in kept["films"]]})


@dataclass(frozen=True, slots=True)
class Probed:
    """Losses of one arm with one seed on filmed clips."""

    arm: str
    group: str
    seed: int
    probe: "SyncProbe"


def write_probe(path: Path, one: Probed) -> None:
    """Keep it."""
    write_atomic(path, json.dumps(asdict(one), indent=1).encode())


def read_probe(path: Path) -> Probed:
    """What `write_probe` kept."""
    from training.loop.probe import SyncProbe

    kept = json.loads(path.read_text(encoding="utf-8"))
    return Probed(**kept | {"probe": SyncProbe(**kept["probe"])})
