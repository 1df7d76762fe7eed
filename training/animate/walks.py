"""The walk from noise to data: the backbone's own steps, or a solver of diffusers' on the backbone's own noise."""

from collections.abc import Sequence
from typing import Any, Protocol, cast

import torch
from torch import Tensor

from shards.errors import BadInput
from training.animate.settings import Scheduler
from training.backbones import Backbone
from training.backbones.diffusion import NoiseSchedule
from training.backbones.flow import WanFlow


class Walk(Protocol):
    """Times from noise to data, one more than there are steps."""

    times: Sequence[float]

    def step(self, latents: Tensor, noise_pred: Tensor, number: int) -> Tensor:
        """From `times[number]` to the next, with what was predicted."""
        ...


class OwnWalk:
    """As the backbone walks."""

    def __init__(self, backbone: Backbone, times: Sequence[float]) -> None:
        self._backbone, self.times = backbone, times

    def step(self, latents: Tensor, noise_pred: Tensor, number: int) -> Tensor:
        """Its step."""
        return self._backbone.step(latents, noise_pred, now=self.times[number], then=self.times[number + 1])


class SolverWalk:
    """A diffusers scheduler that was set to its steps, at `times` of the backbone."""

    def __init__(self, scheduler: Any, times: Sequence[float]) -> None:
        self._scheduler, self.times = scheduler, times

    def step(self, latents: Tensor, noise_pred: Tensor, number: int) -> Tensor:
        """Its step."""
        # Of its step numbers some are rounded alike: it counts for itself after the first.
        timestep = self._scheduler.timesteps[number]
        walked: Tensor = self._scheduler.step(noise_pred, timestep, latents, return_dict=False)[0]
        return walked


def walk_of(backbone: Backbone, scheduler: Scheduler, *, steps: int | None, times: Sequence[float] | None) -> Walk:
    """The walk that was asked for; `times` are the backbone's own unless they are given.

    Raises:
        BadInput: no solver knows the backbone's kind of noise.
    """
    count = steps or backbone.usual_steps
    if scheduler is Scheduler.OWN or times is not None:
        return OwnWalk(backbone, times or backbone.sampling_times(count))
    if isinstance(backbone, WanFlow):
        # diffusers' tables of noise levels are NumPy's; a shift of 1 leaves them even.
        solver = _solver(
            scheduler, prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=backbone.time_shift
        )
        solver.set_timesteps(count)
        return SolverWalk(solver, [float(sigma) for sigma in solver.sigmas])
    if isinstance(backbone, NoiseSchedule):
        kept = backbone.kept.cpu()
        betas = 1 - kept / torch.cat([kept.new_ones(1), kept[:-1]])
        solver = _solver(
            scheduler,
            prediction_type=backbone.predicts,
            trained_betas=betas.tolist(),
            timestep_spacing="trailing",
        )
        solver.set_timesteps(count)
        last = len(kept) - 1
        return SolverWalk(solver, [*(float(step) / last for step in solver.timesteps), -1.0])
    raise BadInput(f"{scheduler} does not know the noise of {backbone.name}", remedy="take the scheduler `own`")


def _solver(scheduler: Scheduler, **settings: Any) -> Any:
    from diffusers import DPMSolverMultistepScheduler, UniPCMultistepScheduler

    if scheduler is Scheduler.UNIPC:
        return cast(Any, UniPCMultistepScheduler(**settings))
    return cast(Any, DPMSolverMultistepScheduler(algorithm_type="dpmsolver++", **settings))
