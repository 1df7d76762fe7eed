"""The loss: flow matching on every latent frame but the given one.

    L = mean over frames j >= 1 of  w_j | v(x_t, t, words, sound) - (e - x) |^2       (Lipman et al. 2023)

The first frame is clean and carries no loss [pred]. With lambda = `motion_weight` > 0 a place counts
w = (1 + lambda m / mean m) / (1 + lambda), where m = |x_j - x_(j-1)|, so that what moves is not drowned by what stands
still (motion-aware loss as in Syncphony; normalised [ours]).
"""

import torch
from torch import Tensor

from training.backbones.base import Backbone
from training.data import Batch


def flow_loss(backbone: Backbone, batch: Batch, *, motion_weight: float = 0.0) -> Tensor:
    """(clips,) the loss of each clip; an adapter that is attached and hearing takes part."""
    noisy = backbone.noise(batch.latents, batch.noise, batch.time)
    velocity = backbone.denoise(noisy, batch.time, batch.text)
    error = (velocity - backbone.target(batch.latents, batch.noise)).square()[:, :, 1:]
    if motion_weight:
        error = error * motion_weights(batch.latents, motion_weight)
    return error.mean(dim=(1, 2, 3, 4))


def motion_weights(latents: Tensor, motion_weight: float) -> Tensor:
    """(clips, 1, latents - 1, h, w) weights of mean 1 for each clip."""
    change = torch.diff(latents, dim=2).abs().mean(dim=1, keepdim=True)
    mean = change.mean(dim=(1, 2, 3, 4), keepdim=True).clamp(min=1e-8)
    return (1 + motion_weight * change / mean) / (1 + motion_weight)
