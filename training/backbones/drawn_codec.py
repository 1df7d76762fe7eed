"""A learned codec for small films that begin with a known picture [ours].

Every frame becomes a small grid of latents, 24 x 24 px a place. The decoder sees the film's first picture at full
sharpness besides the latents: what stands still is copied from it, so the latents need to hold only what moved, and a
background is as sharp as it was given. Output is picture + mask * (painted - picture), the mask learned.

Latents are kept as their generator wants them: frame 0 of the film as itself, later frames as the difference of their
latents to frame 0's, each channel at spread 1. Where nothing moves they are zero.
"""

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn
from torch.nn import functional

STEP_PX = 24
"""Pixels of a place of the grid, each way: 2 (unshuffled) * 2 * 2 * 3."""

_GROUPS = 8
_STRIDES = (2, 2, 3)


class DrawnCodec(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Frames <-> latents, by convolutions alone: any height and width that are multiples of `STEP_PX`.

    Attributes:
        latent_channels: numbers a place.
        first_mean, first_std, change_std: (latent_channels,) statistics by which latents are brought to spread 1.
    """

    first_mean: Tensor
    first_std: Tensor
    change_std: Tensor

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(self, latent_channels: int = 32, widths: tuple[int, int, int] = (40, 80, 128)) -> None:
        super().__init__()
        low, middle, high = widths
        self.encoder, self.to_latents = Pyramid(widths), nn.Conv2d(high, latent_channels, 1)
        self.picture = Pyramid(widths)
        self.start = _block(2 * latent_channels + high, 160)
        self.up = nn.ModuleList(
            [
                nn.Sequential(_block(160 + middle, 96), _block(96, 96)),
                _block(96 + low, 56),
                _block(56 + 12, 32),
            ]
        )
        self.last = nn.Conv2d(32, 16, 3, padding=1)
        for name, start in (("first_mean", 0.0), ("first_std", 1.0), ("change_std", 1.0)):
            self.register_buffer(name, torch.full((latent_channels,), start))

    def encode(self, frames: Tensor) -> Tensor:
        """(frames, 3, h, w) in [-1, 1] -> (frames, latent_channels, h / 24, w / 24), of any spread."""
        latents: Tensor = self.to_latents(self.encoder(frames)[-1])
        return latents

    def decode(self, latents: Tensor, first: Tensor, pictures: Tensor) -> Tensor:
        """Paint frames upon the first pictures of their films.

        Args:
            latents: (films * frames, latent_channels, h', w'), film by film.
            first: (films, latent_channels, h', w') latents of the first pictures.
            pictures: (films, 3, h, w) the first pictures in [-1, 1].

        Returns:
            (films * frames, 3, h, w), about in [-1, 1].
        """
        each = len(latents) // len(first)
        *scales, deepest = self.picture(pictures)
        known = _each(torch.cat([first, deepest], dim=1), each)
        hidden_states = self.start(torch.cat([latents - _each(first, each), known], dim=1))
        for up, scale, stride in zip(self.up, reversed(scales), reversed(_STRIDES), strict=True):
            wider = functional.interpolate(hidden_states, scale_factor=stride, mode="nearest")
            hidden_states = up(torch.cat([wider, _each(scale, each)], dim=1))
        painted = functional.pixel_shuffle(self.last(hidden_states), 2)
        under = _each(pictures, each)
        mixed: Tensor = under + torch.sigmoid(painted[:, 3:]) * (painted[:, :3] - under)
        return mixed

    def normalised(self, latents: Tensor) -> Tensor:
        """(frames, channels, h', w') of one film, as `encode` gives them -> (channels, frames, h', w') at spread 1."""
        first = (latents[:1] - _across(self.first_mean)) / _across(self.first_std)
        changes = (latents[1:] - latents[:1]) / _across(self.change_std)
        return torch.cat([first, changes]).transpose(0, 1)

    def restored(self, latents: Tensor) -> Tensor:
        """What `normalised` was given."""
        frames = latents.transpose(0, 1)
        first = frames[:1] * _across(self.first_std) + _across(self.first_mean)
        return torch.cat([first, first + frames[1:] * _across(self.change_std)])


class Pyramid(nn.Module):
    """A picture at four scales: unshuffled 2:1, then 4:1, 8:1 and 24:1."""

    def __init__(self, widths: tuple[int, int, int]) -> None:
        super().__init__()
        low, middle, high = widths
        self.down = nn.ModuleList(
            [_block(12, low, size=4, stride=2), _block(low, middle, size=4, stride=2), _block(middle, high, stride=3)]
        )

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """(pictures, 3, h, w) -> four feature maps, the sharpest first."""
        scales = [functional.pixel_unshuffle(pictures, 2)]
        for down in self.down:
            scales.append(down(scales[-1]))
        return scales


def _block(inputs: int, outputs: int, *, size: int = 3, stride: int = 1) -> nn.Sequential:
    padding = (size - stride + 1) // 2
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride=stride, padding=padding), nn.GroupNorm(_GROUPS, outputs), nn.SiLU()
    )


def _each(tensor: Tensor, times: int) -> Tensor:
    """Every row `times` times, one after the other."""
    return tensor.repeat_interleave(times, dim=0)


def _across(channels: Tensor) -> Tensor:
    return channels.view(1, -1, 1, 1)
