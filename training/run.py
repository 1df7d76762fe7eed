"""The inside of a stage: what `stages.train_stage` does once it knows that there is something to do."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from shards.errors import Unavailable
from shards.files import write_atomic
from shards.reader import read_samples
from shards.snapshot import Snapshot
from training.adapter import AudioAdapter
from training.adapter_config import AdapterConfig, AudioRow
from training.adapter_files import load_adapter, save_adapter
from training.backbones import Backbone, BackboneShape, open_backbone, shape_of
from training.budget import trainable_share, within_budget
from training.cache import CacheReport, build_cache
from training.config import TrainConfig
from training.data import ClipSet
from training.encoders import open_encoder
from training.loop import LoopResult, run_loop
from training.probe import sync_probe
from training.progress import Progress
from training.sample import adapter_folder
from training.seeds import torch_generator
from training.stages import StageResult, relative, save_result


@dataclass(frozen=True, slots=True)
class _Ready:
    """All that a loop needs."""

    backbone: Backbone
    weights: Path
    adapter: AudioAdapter
    cache: CacheReport
    train: ClipSet
    held_out: ClipSet


def run_stage(
    config: TrainConfig,
    snapshot: Snapshot,
    *,
    parent: Path | None,
    run_dir: Path,
    runs_root: Path,
    progress: Progress | None,
) -> StageResult:
    """Cache, backbone, loop, adapter, probe; see `stages.train_stage`."""
    device = chosen_device(config.device)
    ready = _prepared(config, snapshot, parent, runs_root, progress)
    ready.backbone.to(device)
    ready.adapter.to(device)
    _write_config(run_dir, config, snapshot)
    loop = run_loop(
        ready.adapter,
        ready.backbone,
        ready.train,
        config,
        folder=run_dir,
        device=device,
        progress=_named(progress, "train"),
    )
    adapter_dir = run_dir / "adapter"
    notes = _notes(config, snapshot, parent) | {
        "weights": relative(ready.weights, adapter_dir),
        "steps": len(loop.losses),
    }
    save_adapter(adapter_dir, ready.adapter.config, loop.average, notes=notes)
    probe: dict[str, float] = {}
    if not loop.stopped:
        ready.adapter.load_state_dict(loop.average)
        probe = sync_probe(
            ready.adapter, ready.backbone, ready.held_out, count=config.probe_clips, device=device
        ).to_json()
    result = _result(ready, loop, snapshot.id, run_dir, adapter_dir, probe)
    if result.finished:
        save_result(result)
    return result


def _write_config(run_dir: Path, config: TrainConfig, snapshot: Snapshot) -> None:
    resolved = config.model_dump(mode="json") | {"snapshot": snapshot.id, "snapshot_digest": snapshot.digest}
    write_atomic(run_dir / "config.json", json.dumps(resolved, indent=1, sort_keys=True).encode())


def _notes(config: TrainConfig, snapshot: Snapshot, parent: Path | None) -> dict[str, Any]:
    """What an adapter says about where it comes from."""
    return {
        "backbone": config.backbone,
        "stage": int(config.stage),
        "snapshot": snapshot.id,
        "snapshot_digest": snapshot.digest,
        "parent": parent.name if parent else None,
    }


def fitted_config(config: TrainConfig, backbone: BackboneShape) -> AdapterConfig:
    """The adapter of a config on a backbone, as wide as the budget allows.

    Raises:
        BadInput: an unknown encoder.
        TrainingError: no adapter fits the budget.
    """
    rows = []
    for encoder in map(open_encoder, config.encoders):
        columns = encoder.columns(backbone.video.duration_s)
        rows += [
            AudioRow(encoder.name, layer.name, columns, layer.tokens, layer.width, encoder.hop_s, encoder.width_s)
            for layer in encoder.layers
        ]
    # Two numbers a rotary pair; big backbones in steps of 64, as matrix units like it.
    step = 2 * config.heads if backbone.parameters < 100_000_000 else max(64, 2 * config.heads)
    loose = AdapterConfig(
        rows=tuple(rows),
        sites=backbone.sites,
        video=backbone.video,
        radius_s=config.window_radius_s,
        audio_width=config.audio_width,
        inner_width=step,
        heads=config.heads,
    )
    return within_budget(loose, backbone_parameters=backbone.parameters, budget=config.budget, step=step)


def chosen_device(wanted: str) -> str:
    """ "cuda" where "auto" finds one; a device that is asked for by name must be there.

    Raises:
        Unavailable: it is not.
    """
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted != "cpu" and not torch.cuda.is_available():
        raise Unavailable(f"this machine has no device {wanted!r}", remedy="use --set device=cpu")
    return wanted


def _prepared(
    config: TrainConfig, snapshot: Snapshot, parent: Path | None, runs_root: Path, progress: Progress | None
) -> _Ready:
    backbone = open_backbone(config.backbone)
    cache = cached_clips(config, snapshot, backbone, runs_root=runs_root, progress=_named(progress, "cache"))
    train, held_out = cache.clips.split(config.held_out)
    adapter = _fresh_adapter(config, backbone)
    if parent is None:
        weights = backbone.provide_weights(
            train, store=runs_root / "backbones", config=config.pretrain, progress=_named(progress, "backbone")
        )
    else:
        saved = load_adapter(adapter_folder(parent))
        weights = (adapter_folder(parent) / str(saved.notes["weights"])).resolve()
        backbone.load_weights(weights)
        adapter = saved.adapter
    return _Ready(backbone, weights, adapter, cache, train, held_out)


def cached_clips(
    config: TrainConfig, snapshot: Snapshot, backbone: Backbone, *, runs_root: Path, progress: Progress | None
) -> CacheReport:
    """The snapshot encoded for a config, from the cache as far as it is there."""
    return build_cache(
        lambda: read_samples(snapshot),
        snapshot_digest=snapshot.digest,
        backbone=backbone,
        encoders=tuple(map(open_encoder, config.encoders)),
        windows=config.windows,
        root=runs_root / "cache",
        total=snapshot.index().num_rows,
        progress=progress,
    )


def _fresh_adapter(config: TrainConfig, backbone: Backbone) -> AudioAdapter:
    """An adapter whose start depends on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_generator(config.seed, "adapter", 0).initial_seed())
        return AudioAdapter(fitted_config(config, shape_of(backbone)))


def _result(
    ready: _Ready, loop: LoopResult, snapshot_id: str, run_dir: Path, adapter_dir: Path, probe: dict[str, float]
) -> StageResult:
    trainable, frozen = ready.adapter.config.parameters(), ready.backbone.parameter_count()
    tenth = max(len(loop.losses) // 10, 1)
    return StageResult(
        run_dir=run_dir,
        adapter_dir=adapter_dir,
        snapshot=snapshot_id,
        steps_done=len(loop.losses),
        finished=not loop.stopped,
        fresh=True,
        resumed_from=loop.resumed_from,
        first_loss=sum(loop.losses[:tenth]) / tenth,
        last_loss=sum(loop.losses[-tenth:]) / tenth,
        trainable_parameters=trainable,
        backbone_parameters=frozen,
        trainable_share=trainable_share(trainable, frozen),
        clips_encoded=ready.cache.encoded,
        clips_reused=ready.cache.reused,
        clips_trained=len(ready.train),
        probe=probe,
    )


def _named(progress: Progress | None, name: str) -> Progress | None:
    if progress is None:
        return None
    return lambda done, total, note: progress(done, total, f"{name}: {note}")


__all__ = ["chosen_device", "fitted_config", "run_stage"]
