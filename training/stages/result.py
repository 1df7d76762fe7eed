"""What a stage leaves, its files, and where the newest lies."""

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from shards.errors import BadInput
from shards.files import write_atomic
from training.loop.log import from_json, to_json
from training.settings.config import Stage

NEWEST = "newest"
RESULT = "result.json"


@dataclass(frozen=True, slots=True)
class StageResult:
    """What a stage left.

    Attributes:
        run_dir: the run's folder.
        adapter_dir: the averaged adapter, for `animate` and for stage two.
        snapshot: the snapshot's id.
        steps_done: steps of the run so far.
        finished: whether all steps are done; False after SIGTERM.
        fresh: whether this call trained at all; False where the run was finished before.
        resumed_from: the step from which this call went on; 0 if it started anew.
        first_loss, last_loss: means over the first and last tenth of the steps.
        trainable_parameters, backbone_parameters, trainable_share: sizes.
        clips_encoded, clips_reused: what the cache did.
        clips_trained: windows to train on.
        probe: see `probe.SyncProbe`; empty where the run is not finished.
    """

    run_dir: Path
    adapter_dir: Path
    snapshot: str
    steps_done: int
    finished: bool
    fresh: bool
    resumed_from: int
    first_loss: float
    last_loss: float
    trainable_parameters: int
    backbone_parameters: int
    trainable_share: float
    clips_encoded: int
    clips_reused: int
    clips_trained: int
    probe: dict[str, float] = field(default_factory=dict)


def save_result(result: StageResult) -> None:
    """Write a finished run's result, and note it as the newest of its stage."""
    data = asdict(result) | {"run_dir": result.run_dir.name, "adapter_dir": result.adapter_dir.name}
    write_atomic(result.run_dir / RESULT, to_json(dict(sorted(data.items())), indent=1).encode())
    write_atomic(result.run_dir.parent / NEWEST, result.run_dir.name.encode())


def result_json(result: StageResult) -> dict[str, Any]:
    """A result as plain values."""
    return asdict(result) | {"run_dir": str(result.run_dir), "adapter_dir": str(result.adapter_dir)}


def stage_result(data: dict[str, Any]) -> StageResult:
    """The result that `result_json` wrote."""
    return StageResult(**data | {"run_dir": Path(data["run_dir"]), "adapter_dir": Path(data["adapter_dir"])})


def finished_result(run_dir: Path) -> StageResult:
    """The result of a finished run, which becomes the newest of its stage again."""
    data = from_json((run_dir / RESULT).read_text(encoding="utf-8"))
    kept = data | {"run_dir": run_dir, "adapter_dir": run_dir / data["adapter_dir"], "fresh": False}
    write_atomic(run_dir.parent / NEWEST, run_dir.name.encode())
    return StageResult(**kept)


def newest_run(runs_root: Path) -> Path:
    """The newest finished run: of stage two where there is one, else of stage one.

    Raises:
        BadInput: no run is finished.
    """
    for stage in (Stage.TWO, Stage.ONE):
        pointer = runs_root / stage_folder(stage) / NEWEST
        if pointer.is_file():
            return pointer.parent / pointer.read_text(encoding="utf-8")
    raise BadInput(f"no finished run in {runs_root}", remedy="train one first: clapboard train --stage 1")


def stage_folder(stage: Stage) -> str:
    """Where runs of a stage lie below the root of all runs."""
    return "stage-one" if stage is Stage.ONE else "stage-two"


def relative(target: Path, start: Path) -> str:
    """`target` as seen from `start`, so that a home that is moved as a whole still fits together."""
    return os.path.relpath(target.resolve(), start.resolve())
