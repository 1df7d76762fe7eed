"""Training the codec: frames painted upon the first picture of their film, what changed counting most [ours]."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from training.backbones.drawn import VIDEO
from training.backbones.drawn_codec import DrawnCodec
from training.backbones.folder import pixels_of
from training.pretrain.films import FILM_FRAMES, DrawnFilms
from training.pretrain.settings import CodecSettings
from training.seeds import numpy_generator, torch_generator

_CHANGE_WEIGHT = 8.0
_CHANGE_REACH_PX = 5
_LATENT_WEIGHT = 3e-3


def codec_loss(codec: DrawnCodec, films: DrawnFilms, settings: CodecSettings, step: int, *, noise: float) -> Tensor:
    """The loss of one step: mean of w |painted - true|, and a little of the latents' squares.

    w = 1 + 8 m, where m is how much a place differs from the film's first picture, at most within 2 px of it.
    """
    pictures, frames = _drawn_frames(films, settings, step)
    device = next(codec.parameters()).device
    pictures, frames = pictures.to(device), frames.to(device)
    with torch.autocast(device.type, torch.bfloat16):
        latents = codec.encode(torch.cat([pictures, frames])).float()
        first, later = latents[: len(pictures)], latents[len(pictures) :]
        added = torch.randn(later.shape, generator=torch_generator(settings.seed, "codec/noise", step)).to(device)
        painted = codec.decode(later + noise * added, first, pictures).float()
    under = pictures.repeat_interleave(settings.frames, dim=0)
    change = (frames - under).abs().mean(dim=1, keepdim=True)
    near = functional.max_pool2d(change, _CHANGE_REACH_PX, stride=1, padding=_CHANGE_REACH_PX // 2)
    wrong = ((1 + _CHANGE_WEIGHT * near.clamp(max=1)) * (painted - frames).abs()).mean()
    return wrong + _LATENT_WEIGHT * latents.square().mean()


def _drawn_frames(films: DrawnFilms, settings: CodecSettings, step: int) -> tuple[Tensor, Tensor]:
    """(films, 3, h, w) first pictures and (films * frames, 3, h, w) frames that follow within a window's length."""
    random = numpy_generator(settings.seed, "codec/frames", step)
    pictures, frames = [], []
    for film in random.integers(films.count, size=settings.films):
        start = int(random.integers(FILM_FRAMES - VIDEO.frames + 1))
        later = start + random.integers(1, VIDEO.frames, size=settings.frames)
        shown = films.frames(int(film))
        pictures.append(shown[start])
        frames += [shown[one] for one in later]
    return _levels(pictures), _levels(frames)


def _levels(pictures: list[NDArray[np.uint8]]) -> Tensor:
    """(pictures, 3, h, w) in [-1, 1]."""
    return pixels_of(np.stack(pictures)).transpose(0, 1).contiguous()


@torch.no_grad()
def set_statistics(codec: DrawnCodec, latents: Tensor) -> None:
    """Measure by what latents are to be scaled: (films, frames, channels, h', w') as `encode` gives them."""
    over = (0, 1, 3, 4)
    codec.first_mean.copy_(latents.mean(dim=over))
    codec.first_std.copy_(latents.std(dim=over))
    changes = latents[:, 1 : VIDEO.frames] - latents[:, :1]
    codec.change_std.copy_(changes.square().mean(dim=over).sqrt())
