"""A stage of training as one call: snapshot -> cache -> frozen backbone -> adapter -> probe.

    RUNS/cache/FINGERPRINT/   RUNS/backbones/tiny-DIGEST/
    RUNS/stage-one/DIGEST/    config.json  checkpoints/  metrics.jsonl  adapter/  result.json

A run's folder is named by a digest of everything that decides it, so the same question finds its answer: a finished
run is not run again, a stopped one goes on. Stage two starts from stage one's averaged adapter on the same frozen
backbone, with a fresh optimiser [paper: two stages; ours: the rest].
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shards.errors import BadInput, TrainingError
from shards.files import write_atomic
from training.config import HOW, Stage, TrainConfig
from training.disk import disk_to_spare
from training.log import from_json, to_json
from training.progress import Progress

if TYPE_CHECKING:
    from training.cache import CacheReport

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


def train_stage(
    config: TrainConfig, *, snapshots_root: Path, runs_root: Path, progress: Progress | None = None
) -> StageResult:
    """Run a stage, go on with it, or find it finished.

    Args:
        config: see `TrainConfig`; `stage_config` gives the defaults of a stage.
        snapshots_root: where snapshots are published.
        runs_root: where caches, backbones and runs live.
        progress: called with (done, total, note); the notes begin with "cache", "backbone" or "train".

    Raises:
        SnapshotError: there is no such snapshot.
        Unavailable: the backbone's weights are not here.
        TrainingError: no stage-one run to start from, an adapter over budget, a loss that is no number, a full disk.
    """
    from shards.snapshot import open_snapshot

    snapshot = open_snapshot(snapshots_root, config.snapshot)
    parent = _parent(config, runs_root)
    run_dir = _run_dir(config, snapshot.digest, parent, runs_root)
    if (run_dir / RESULT).is_file():
        return _finished(run_dir)
    from training.launch import is_worker, launch

    if config.processes > 1 and not is_worker():
        return launch(config, snapshots_root=snapshots_root, runs_root=runs_root, progress=progress)
    from training.parallel import chosen_device, join
    from training.run import run_stage

    with disk_to_spare(runs_root):
        return run_stage(
            config,
            snapshot,
            parent=parent,
            run_dir=run_dir,
            runs_root=runs_root,
            snapshots_root=snapshots_root,
            world=join(chosen_device(config.device)),
            progress=progress,
        )


def build_stage_cache(
    config: TrainConfig, *, snapshots_root: Path, runs_root: Path, progress: Progress | None = None
) -> "CacheReport":
    """Encode the snapshot of a stage ahead of its training, which then finds all of it there.

    Raises:
        SnapshotError: there is no such snapshot, or a clip of it cannot be decoded.
        BadInput: an unknown backbone or encoder.
    """
    from shards.snapshot import open_snapshot
    from training.backbones import open_backbone
    from training.encoding import encoded_clips
    from training.parallel import chosen_device, join

    world = join(chosen_device(config.device))
    snapshot = open_snapshot(snapshots_root, config.snapshot)
    backbone = open_backbone(config.backbone, config.options(world.device))
    with disk_to_spare(runs_root):
        return encoded_clips(config, snapshot, backbone, runs_root=runs_root, world=world, progress=progress)


def newest_run(runs_root: Path) -> Path:
    """The newest finished run: of stage two where there is one, else of stage one.

    Raises:
        BadInput: no run is finished.
    """
    for stage in (Stage.TWO, Stage.ONE):
        pointer = runs_root / _folder(stage) / NEWEST
        if pointer.is_file():
            return pointer.parent / pointer.read_text(encoding="utf-8")
    raise BadInput(f"no finished run in {runs_root}", remedy="train one first: clapboard train --stage 1")


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


def _finished(run_dir: Path) -> StageResult:
    data = from_json((run_dir / RESULT).read_text(encoding="utf-8"))
    kept = data | {"run_dir": run_dir, "adapter_dir": run_dir / data["adapter_dir"], "fresh": False}
    write_atomic(run_dir.parent / NEWEST, run_dir.name.encode())
    return StageResult(**kept)


def _parent(config: TrainConfig, runs_root: Path) -> Path | None:
    """The stage-one run that stage two starts from."""
    if config.stage is Stage.ONE:
        return None
    if config.init_from is not None:
        run = config.init_from
    else:
        pointer = runs_root / _folder(Stage.ONE) / NEWEST
        run = pointer.parent / pointer.read_text(encoding="utf-8") if pointer.is_file() else pointer
    if not (run / RESULT).is_file():
        raise TrainingError(
            "stage two starts from a finished stage one, and there is none",
            remedy="run stage one first: clapboard train --stage 1",
        )
    return run


def _run_dir(config: TrainConfig, snapshot_digest: str, parent: Path | None, runs_root: Path) -> Path:
    decides = config.model_dump(mode="json", exclude=set(HOW))
    decides |= {"snapshot": snapshot_digest, "parent": parent.name if parent else None}
    digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
    return runs_root / _folder(config.stage) / digest[:16]


def _folder(stage: Stage) -> str:
    return "stage-one" if stage is Stage.ONE else "stage-two"


def relative(target: Path, start: Path) -> str:
    """`target` as seen from `start`, so that a home that is moved as a whole still fits together."""
    return os.path.relpath(target.resolve(), start.resolve())
