"""Short stages for tests, and what they left."""

from pathlib import Path

import torch
from torch import nn

from training.adapter.files import load_adapter, save_adapter
from training.adapter.layer import AudioAdapter
from training.backbones import open_backbone, shape_of
from training.backbones.base import Backbone
from training.loop.log import read_metrics
from training.settings.config import TrainConfig, stage_config
from training.stages.fitting import fitted_config
from training.stages.result import StageResult

QUICK = {
    "backbone": "tiny",
    "size_px": (32, 32),
    "batch": 4,
    "held_out": 0.25,
    "pretrain": {"steps": 5, "batch": 4, "warmup_steps": 2},
    "windows": {"per_clip": 1},
    "probe_clips": 2,
    "device": "cpu",
    "steps": 6,
    "save_every": 3,
}


def quick(stage: int = 1, **changes) -> TrainConfig:
    return stage_config(stage, **QUICK | changes)


def lines(result: StageResult) -> list[dict]:
    return read_metrics(result.run_dir / "metrics.jsonl")


def losses(result: StageResult) -> list[float]:
    return [line["loss"] for line in lines(result) if "loss" in line]


def weights(result: StageResult) -> dict[str, torch.Tensor]:
    return load_adapter(result.adapter_dir).adapter.state_dict()


def noisy_run(root: Path) -> Path:
    """A run's folder with an untrained `tiny` and an adapter that says something."""
    backbone = open_backbone("tiny")
    torch.manual_seed(0)
    nn.init.normal_(backbone.network.proj_out.weight, std=0.02)
    backbone.network.save_pretrained(root / "weights")
    save_noisy(root / "adapter", backbone, stage_config(1), weights="../weights")
    return root


def save_noisy(folder: Path, backbone: Backbone, config: TrainConfig, **notes: object) -> None:
    """Write an adapter of a backbone whose sites say something."""
    adapter = AudioAdapter(fitted_config(config, shape_of(backbone)))
    for site in adapter.sites:
        nn.init.normal_(site.out.weight, std=0.2)
    save_adapter(folder, adapter.config, adapter.state_dict(), notes={"backbone": backbone.name, **notes})
