"""Short stages for tests, and what they left."""

import torch

from training.adapter.files import load_adapter
from training.loop.log import read_metrics
from training.settings.config import TrainConfig, stage_config
from training.stages.result import StageResult

QUICK = {
    "backbone": "tiny",
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
