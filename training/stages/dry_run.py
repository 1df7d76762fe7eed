"""What a run would be, before anything is loaded: settings, parameters, operations, memory, cache, time."""

import math
from pathlib import Path
from typing import Any

from shards.errors import SnapshotError, Unavailable
from shards.snapshot import open_snapshot
from shards.verifying import check_sizes
from training.adapter.budget import trainable_share
from training.backbones import NOTICES, Backbone, open_backbone, shape_of
from training.cache.build import plan_windows
from training.cache.encoding import parts_of
from training.encoders import open_encoder
from training.loop.disk import free_at
from training.loop.profile import DENSE_BF16_FLOPS, StepCost, step_cost
from training.settings.config import TrainConfig
from training.stages.fitting import fitted_config

ASSUMED_MFU = 0.35
"""What a good run reaches; the time estimate says that it assumes it."""

USUAL_GIB = 80
"""Of a large device, such as an A100 or H100."""

_ADAMW_BYTES = 16
"""Of each trained weight: itself, its gradient and two moments in float32."""


def dry_run(
    config: TrainConfig, *, snapshots_root: Path | None = None, runs_root: Path | None = None
) -> dict[str, Any]:
    """What a run would train, without weights, data or a step; `warnings` says what would break or surprise.

    Args:
        config: the stage.
        snapshots_root, runs_root: as for `train_stage`; without them nothing is said of data and disk.

    Raises:
        BadInput: an unknown backbone or encoder, or a layer that an encoder lacks.
        TrainingError: no adapter fits the budget.
    """
    backbone = open_backbone(config.backbone, config.options())
    shape = shape_of(backbone)
    adapter = fitted_config(config, shape)
    cost = step_cost(adapter, backbone, half=config.half(config.device), checkpointing=config.checkpointing)
    trainable = adapter.parameters()
    return {
        "backbone": config.backbone,
        "backbone_parameters": shape.parameters,
        "trainable_parameters": trainable,
        "trainable_share": trainable_share(trainable, shape.parameters),
        "budget": config.budget,
        "inner_width": adapter.inner_width,
        "sites": [site.name for site in adapter.sites],
        "size_px": list(backbone.size_px),
        "latent_frames": adapter.video.latents,
        "seconds": adapter.video.duration_s,
        "audio_tokens_per_frame": adapter.slot_table()[0].shape[1],
        "encoders": {encoder.name: encoder.licence for encoder in map(open_encoder, config.encoders)},
        "tflop_per_clip": {"forward": round(cost.forward / 1e12, 4), "backward": round(cost.backward / 1e12, 4)},
        "gib_estimate": _memory(config, frozen=shape.parameters, trained=trainable, cost=cost),
        "cache_mib_per_window": round(_cached_bytes(config, backbone) / 2**20, 3),
        "days_estimate": _days(config, cost),
        "warnings": [
            *_warnings(config, backbone, snapshots_root, runs_root),
            *_memory_warnings(config, frozen=shape.parameters, trained=trainable, cost=cost),
        ],
        "config": config.model_dump(mode="json"),
    }


def _warnings(
    config: TrainConfig, backbone: Backbone, snapshots_root: Path | None, runs_root: Path | None
) -> list[str]:
    """What would break a run, or that a user should know of the backbone."""
    found = [NOTICES[config.backbone]] if config.backbone in NOTICES else []
    for check in (backbone.weights_dir, *(open_encoder(one).check_weights for one in config.encoders)):
        try:
            check()
        except Unavailable as error:
            found.append(f"{error.message}: {error.remedy}")
    if snapshots_root is not None and runs_root is not None:
        found += _data_warnings(config, backbone, snapshots_root, runs_root)
    return found


def _data_warnings(config: TrainConfig, backbone: Backbone, snapshots_root: Path, runs_root: Path) -> list[str]:
    """Of the snapshot, and of the room that its cache takes."""
    try:
        snapshot = open_snapshot(snapshots_root, config.snapshot)
        check_sizes(snapshot)
        windows = plan_windows(snapshot, config.windows, duration_s=backbone.video.duration_s)
    except SnapshotError as error:
        return [f"{error.message}: {error.remedy}"]
    wanted = len(windows) * _cached_bytes(config, backbone) if config.cache else 0
    place, free = free_at(runs_root)
    if wanted <= free:
        return []
    return [
        f"the cache of {len(windows)} windows takes {_gib(wanted)} GiB, and {place} has {_gib(free)} GiB free: name a "
        "home on a larger disk, cache fewer windows of a clip (--set windows.per_clip=1), or encode as you go "
        "(--set cache=false)"
    ]


def _memory_warnings(config: TrainConfig, *, frozen: int, trained: int, cost: StepCost) -> list[str]:
    """Where a step needs more than a usual large device has, how it needs less."""
    need = sum(_memory(config, frozen=frozen, trained=trained, cost=cost).values())
    if need <= USUAL_GIB:
        return []
    share = config.batch // config.processes
    fewer = (config.model_copy(update={"micro_batch": n}) for n in range(share, 0, -1) if share % n == 0)
    fits = (
        one.micro_batch
        for one in fewer
        if sum(_memory(one, frozen=frozen, trained=trained, cost=cost).values()) <= USUAL_GIB
    )
    how = f"--set micro_batch={count}" if (count := next(fits, None)) else "--set checkpointing=selective, or all"
    return [f"a step takes about {need:.0f} GiB on each device, and a large one has {USUAL_GIB}: {how}"]


def _memory(config: TrainConfig, *, frozen: int, trained: int, cost: StepCost) -> dict[str, float]:
    """GiB on each device."""
    frozen_bytes = frozen * (2 if config.half(config.device) else 4)
    return {
        "frozen": _gib(frozen_bytes // (config.processes if config.shard_network else 1)),
        "trained": _gib(trained * (_ADAMW_BYTES + 4)),
        "activations": _gib(cost.kept_bytes * config.clips_at_once()),
    }


def _cached_bytes(config: TrainConfig, backbone: Backbone) -> int:
    """Of a window: latents, mean and spread in 2 bytes each, what else is seen of the image, and its sounds."""
    pictures = 2 * math.prod(backbone.latent_shape) + sum(map(math.prod, backbone.condition_shapes.values()))
    return 2 * pictures + sum(one.bytes_per_window for one in parts_of(config, backbone))


def _days(config: TrainConfig, cost: StepCost) -> dict[str, float]:
    """Of all steps, by device."""
    flops = cost.flops * config.batch * config.steps
    days = {
        name: round(flops / (peak * ASSUMED_MFU * config.processes) / 86400, 3)
        for name, peak in DENSE_BF16_FLOPS.items()
    }
    return days | {"assumed_mfu": ASSUMED_MFU}


def _gib(count: int) -> float:
    return round(count / 2**30, 3)
