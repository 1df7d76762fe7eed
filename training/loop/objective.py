"""The loss: what the network says against what it should say, on every latent frame but the given one.

    L = mean over frames of  w | noise_pred(x_t, t, words, sound) - target |^2

For flow models the target is the velocity (Lipman et al. 2023), for diffusion models the noise or v. The given first
frame is clean and carries no loss [pred]; a clip whose image was dropped has no given frame. With lambda =
`motion_weight` > 0 a place counts w = (1 + lambda m / mean m) / (1 + lambda), where m = |x_j - x_(j-1)|, so that what
moves is not drowned by what stands still (motion-aware loss as in Syncphony; normalised [ours]).
"""

import torch
from torch import Tensor

from training.backbones.base import Backbone
from training.data.batches import Batch


def noise_loss(backbone: Backbone, batch: Batch, *, motion_weight: float = 0.0) -> Tensor:
    """(clips,) the loss of each clip; an adapter that is attached and hearing takes part."""
    noisy = backbone.noise(batch.latents, batch.noise, batch.time, batch.image_mask)
    noise_pred = backbone.denoise(noisy, batch.time, batch.text, batch.image_mask, batch.image)
    error = (noise_pred - backbone.target(batch.latents, batch.noise, batch.time)).square()
    if motion_weight:
        error = error * motion_weights(batch.latents, motion_weight)
    frames = error.mean(dim=(1, 3, 4))
    counts = torch.ones_like(frames)
    if backbone.clean_first:
        counts[:, 0] = (~batch.image_mask).to(frames.dtype)
    return (frames * counts).sum(dim=1) / counts.sum(dim=1)


def motion_weights(latents: Tensor, motion_weight: float) -> Tensor:
    """(clips, 1, latents, h, w) weights, those behind the first frame of mean 1 for each clip; the first has 1."""
    change = torch.diff(latents, dim=2).abs().mean(dim=1, keepdim=True)
    mean = change.mean(dim=(1, 2, 3, 4), keepdim=True).clamp(min=1e-8)
    weights = (1 + motion_weight * change / mean) / (1 + motion_weight)
    return torch.cat([torch.ones_like(weights[:, :, :1]), weights], dim=2)
