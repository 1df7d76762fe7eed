"""A stage of training as one call: snapshot -> cache -> frozen backbone -> adapter -> probe.

    RUNS/cache/FINGERPRINT/   RUNS/backbones/tiny-DIGEST/
    RUNS/stage-one/DIGEST/    config.json  checkpoints/  metrics.jsonl  adapter/  result.json

A run's folder is named by a digest of everything that decides it, so the same question finds its answer: a finished
run is not run again, a stopped one goes on. Stage two starts from stage one's averaged adapter on the same frozen
backbone, with a fresh optimiser [paper: two stages; ours: the rest].
"""

import hashlib
import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from shards.errors import TrainingError
from training.loop.disk import disk_to_spare
from training.progress import Progress
from training.settings.config import HOW, Stage, TrainConfig
from training.stages.result import NEWEST, RESULT, StageResult, finished_result, stage_folder, stage_result

if TYPE_CHECKING:
    from training.cache.build import CacheReport


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
        return finished_result(run_dir)
    from training.stages.launch import Act, is_worker, launch

    if config.processes > 1 and not is_worker():
        return stage_result(
            launch(Act.TRAIN, config, snapshots_root=snapshots_root, runs_root=runs_root, progress=progress)
        )
    from training.parallel import chosen_device, join
    from training.stages.lock import alone_in
    from training.stages.run import run_stage

    world = join(chosen_device(config.device))
    # torchrun may have started another number of processes than the config says.
    world.slice(range(config.batch))
    with disk_to_spare(runs_root), alone_in(run_dir) if world.leads else nullcontext():
        # Whoever cannot have the folder ends here, and with it all ranks.
        world.wait()
        return run_stage(
            config,
            snapshot,
            parent=parent,
            run_dir=run_dir,
            runs_root=runs_root,
            snapshots_root=snapshots_root,
            world=world,
            progress=progress,
        )


def build_stage_cache(
    config: TrainConfig, *, snapshots_root: Path, runs_root: Path, progress: Progress | None = None
) -> "CacheReport":
    """Encode the snapshot of a stage ahead of its training, which then finds all of it there; in `config.processes`.

    Raises:
        SnapshotError: there is no such snapshot, a shard of it lost bytes, or a clip of it cannot be decoded.
        BadInput: an unknown backbone or encoder.
    """
    from shards.snapshot import open_snapshot
    from shards.verifying import check_sizes
    from training.backbones import open_backbone
    from training.cache.encoding import encoded_clips
    from training.parallel import chosen_device, join
    from training.stages.launch import Act, is_worker, launch

    if config.processes > 1 and not is_worker():
        facts = launch(Act.CACHE, config, snapshots_root=snapshots_root, runs_root=runs_root, progress=progress)
        # All of it is here now: this finds it.
        alone = config.model_copy(update={"processes": 1})
        report, encoded = build_stage_cache(alone, snapshots_root=snapshots_root, runs_root=runs_root), facts["encoded"]
        return replace(report, encoded=encoded, reused=report.reused - encoded)
    world = join(chosen_device(config.device))
    snapshot = open_snapshot(snapshots_root, config.snapshot)
    check_sizes(snapshot)
    backbone = open_backbone(config.backbone, config.options(world.device))
    with disk_to_spare(runs_root):
        return encoded_clips(config, snapshot, backbone, runs_root=runs_root, world=world, progress=progress)


def _parent(config: TrainConfig, runs_root: Path) -> Path | None:
    """The stage-one run that stage two starts from."""
    if config.stage is Stage.ONE:
        return None
    if config.init_from is not None:
        run = config.init_from
    else:
        pointer = runs_root / stage_folder(Stage.ONE) / NEWEST
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
    return runs_root / stage_folder(config.stage) / digest[:16]
