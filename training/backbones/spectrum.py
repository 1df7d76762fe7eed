"""The tiny backbone's view of a latent: the coarse part of each 8x8 block's spectrum, at known scale [ours].

A drawn or natural difference picture has most of its energy in a block's low frequencies (as JPEG knows), while noise
has as much in every one. A small transformer that predicts only the coarse part, as a correction of the best linear
guess, learns within minutes what it would need hours for on pixels.
"""

import math

import torch
from torch import Tensor

BLOCK = 8
# Spread of difference pictures (scaled as in `tiny.py`) by frequency f: 3.3 / (1 + f)^1.1, half of it for colour.
_SPREAD, _FALL, _COLOUR = 3.3, 1.1, 0.5


def block_spectrum(components: int) -> tuple[Tensor, Tensor]:
    """(components, 3 * 8 * 8) orthonormal rows, the largest expected spread first, and (components,) their spreads.

    Rows are products of a colour axis (brightness, two colours) and a two-dimensional cosine (DCT-II).
    """
    brightness = torch.full((3,), 3**-0.5)
    colours = torch.tensor([[2**-0.5, 0.0, -(2**-0.5)], [-(6**-0.5), 2 * 6**-0.5, -(6**-0.5)]])
    axes = torch.cat([brightness[None], colours])
    cosine = _cosines(BLOCK)
    rows = torch.einsum("ac,ui,vj->auvcij", axes, cosine, cosine).reshape(-1, 3 * BLOCK * BLOCK)
    steps = torch.arange(BLOCK, dtype=torch.float32)
    frequency = (steps[:, None].square() + steps[None].square()).sqrt()
    spread = _SPREAD / (1 + frequency) ** _FALL
    spreads = torch.stack([spread, _COLOUR * spread, _COLOUR * spread]).flatten()
    order = spreads.argsort(descending=True, stable=True)[:components]
    return rows[order], spreads[order]


def to_blocks(latents: Tensor, rows: Tensor) -> Tensor:
    """(clips, 3, latents, h, w) -> (clips, components, latents, h / 8, w / 8)."""
    high, wide = latents.shape[3] // BLOCK, latents.shape[4] // BLOCK
    blocks = latents.reshape(*latents.shape[:3], high, BLOCK, wide, BLOCK)
    flat = blocks.permute(0, 2, 3, 5, 1, 4, 6).flatten(4)
    return (flat @ rows.T).permute(0, 4, 1, 2, 3)


def from_blocks(coefficients: Tensor, rows: Tensor) -> Tensor:
    """(clips, components, latents, h / 8, w / 8) -> (clips, 3, latents, h, w)."""
    flat = coefficients.permute(0, 2, 3, 4, 1) @ rows
    blocks = flat.reshape(*flat.shape[:-1], 3, BLOCK, BLOCK)
    return blocks.permute(0, 4, 1, 2, 5, 3, 6).flatten(5).flatten(3, 4)


def _cosines(size: int) -> Tensor:
    """(size, size) orthonormal DCT-II."""
    place = (torch.arange(size) + 0.5) * math.pi / size
    rows = torch.cos(torch.arange(size)[:, None] * place) * math.sqrt(2 / size)
    rows[0] /= math.sqrt(2)
    return rows
