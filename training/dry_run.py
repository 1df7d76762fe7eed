"""What a run would be, before anything is loaded: settings, parameters, operations, memory, cache, time."""

from typing import Any

from training.backbones import open_backbone, shape_of
from training.budget import trainable_share
from training.config import TrainConfig
from training.encoders import open_encoder
from training.encoding import parts_of
from training.fitting import fitted_config
from training.profile import DENSE_BF16_FLOPS, step_cost

ASSUMED_MFU = 0.35
"""What a good run reaches; the time estimate says that it assumes it."""

_ADAMW_BYTES = 16
"""Of each trained weight: itself, its gradient and two moments in float32."""


def dry_run(config: TrainConfig) -> dict[str, Any]:
    """What a run would train, without weights, data or a step.

    Raises:
        BadInput: an unknown backbone or encoder.
        TrainingError: no adapter fits the budget.
    """
    backbone = open_backbone(config.backbone, config.options())
    shape = shape_of(backbone)
    adapter = fitted_config(config, shape)
    half = config.half(config.device)
    cost = step_cost(adapter, backbone, half=half, checkpointing=config.checkpointing)
    trainable, at_once = adapter.parameters(), config.micro_batch or config.batch // config.processes
    frozen_bytes = shape.parameters * (2 if half else 4) // (config.processes if config.shard_network else 1)
    flops = cost.flops * config.batch
    channels, latents, height, width = backbone.latent_shape
    sounds = sum(part.bytes_per_window for part in parts_of(config, backbone))
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
        "gib_estimate": {
            "frozen": _gib(frozen_bytes),
            "trained": _gib(trainable * (_ADAMW_BYTES + 4)),
            "activations": _gib(cost.kept_bytes * at_once),
        },
        "cache_mib_per_window": round((2 * 2 * channels * latents * height * width + sounds) / 2**20, 3),
        "days_estimate": {
            name: round(flops * config.steps / (peak * ASSUMED_MFU * config.processes) / 86400, 3)
            for name, peak in DENSE_BF16_FLOPS.items()
        }
        | {"assumed_mfu": ASSUMED_MFU},
        "config": config.model_dump(mode="json"),
    }


def _gib(count: int) -> float:
    return round(count / 2**30, 3)
