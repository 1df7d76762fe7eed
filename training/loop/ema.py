"""An exponential moving average of weights, quick at first so that a short run's average is not its start."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor


def ema_decay(step: int, longest: float) -> float:
    """min(longest, (1 + step) / (10 + step)), as in TensorFlow's ExponentialMovingAverage."""
    return min(longest, (1 + step) / (10 + step))


@torch.no_grad()
def ema_update(average: Mapping[str, Tensor], weights: Iterable[tuple[str, Tensor]], *, decay: float) -> None:
    """average <- decay * average + (1 - decay) * weights, in place."""
    for name, weight in weights:
        average[name].lerp_(weight.detach(), 1 - decay)
