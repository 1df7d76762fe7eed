"""The adapter that a config means on a backbone: its rows from the encoders, its width from the budget."""

import torch

from training.adapter.budget import within_budget
from training.adapter.config import AdapterConfig, AudioRow
from training.adapter.layer import AudioAdapter
from training.backbones import BackboneShape
from training.encoders import open_encoder
from training.seeds import torch_generator
from training.settings.config import TrainConfig


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


def fresh_adapter(config: TrainConfig, backbone: BackboneShape) -> AudioAdapter:
    """An adapter whose start depends on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_generator(config.seed, "adapter", 0).initial_seed())
        return AudioAdapter(fitted_config(config, backbone))
