"""Diffusion with a discrete noise schedule (DDPM, Ho et al. 2020), as Stable Diffusion and AnimateDiff were trained.

    x_t = sqrt(a_t) x + sqrt(1 - a_t) e        a_t: cumulative product of 1 - beta

The network predicts e ("epsilon") or v = sqrt(a_t) e - sqrt(1 - a_t) x (Salimans and Ho 2022). Time is a share of the
schedule, drawn evenly; sampling is DDIM (Song et al. 2021).
"""

from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

import torch
from torch import Tensor

from shards.errors import BadInput
from training.backbones.flow import first_kept

# AnimateDiff's own schedule; a folder's `scheduler_config.json` says otherwise where it differs.
_OWN: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "linear",
}


class NoiseSchedule:
    """The schedule of a diffusion model; `config` is diffusers' scheduler configuration."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        known = _OWN | {name: config[name] for name in _OWN if name in config}
        count, first, last = known["num_train_timesteps"], known["beta_start"], known["beta_end"]
        if known["beta_schedule"] == "linear":
            betas = torch.linspace(first, last, count, dtype=torch.float64)
        elif known["beta_schedule"] == "scaled_linear":
            betas = torch.linspace(first**0.5, last**0.5, count, dtype=torch.float64).square()
        else:
            raise BadInput(
                f"the schedule {known['beta_schedule']!r} is not known", remedy="use linear or scaled_linear"
            )
        self.predicts = config.get("prediction_type", "epsilon")
        if self.predicts not in ("epsilon", "v_prediction"):
            raise BadInput(f"a network that predicts {self.predicts!r}", remedy="use epsilon or v_prediction")
        self.kept = torch.cumprod(1 - betas, dim=0).float()

    def time_of(self, normal: float) -> float:
        """Even in (0, 1)."""
        return NormalDist().cdf(normal)

    def steps_of(self, time: Tensor) -> Tensor:
        """(clips,) the schedule's step numbers."""
        return (time * (len(self.kept) - 1)).round().long()

    def noise(self, clean: Tensor, noise: Tensor, time: Tensor, image_mask: Tensor) -> Tensor:
        """x_t; latent frame 0 stays x where it is given."""
        signal, spread = self._shares(time, clean)
        return first_kept(signal * clean + spread * noise, clean, image_mask)

    def target(self, clean: Tensor, noise: Tensor, time: Tensor) -> Tensor:
        """The noise, or v."""
        if self.predicts == "epsilon":
            return noise
        signal, spread = self._shares(time, clean)
        return signal * noise - spread * clean

    def sampling_times(self, steps: int) -> list[float]:
        """Evenly spaced from the schedule's last step; below 0 stands clean data."""
        last = len(self.kept) - 1
        return [round(last * (1 - n / steps)) / last for n in range(steps)] + [-1.0]

    def step(self, latents: Tensor, noise_pred: Tensor, *, now: float, then: float) -> Tensor:
        """DDIM without added noise."""
        here = self.kept[round(now * (len(self.kept) - 1))].item()
        there = self.kept[round(then * (len(self.kept) - 1))].item() if then >= 0 else 1.0
        if self.predicts == "epsilon":
            noise = noise_pred
            clean = (latents - (1 - here) ** 0.5 * noise) / here**0.5
        else:
            clean = here**0.5 * latents - (1 - here) ** 0.5 * noise_pred
            noise = (1 - here) ** 0.5 * latents + here**0.5 * noise_pred
        walked: Tensor = there**0.5 * clean + (1 - there) ** 0.5 * noise
        return walked

    def _shares(self, time: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        kept = self.kept.to(like.device, like.dtype)[self.steps_of(time)].view(-1, 1, 1, 1, 1)
        return kept.sqrt(), (1 - kept).sqrt()
