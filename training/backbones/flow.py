"""What all Wan-shaped backbones share: the flow, the hook points, and a clean first frame.

Between a clean latent x and noise e lies x_t = (1 - t) x + t e, and the model predicts the velocity e - x (flow
matching, Lipman et al. 2023). Training times are the logistic of a standard normal number, moved towards noise by a
shift s: t -> s t / (1 + (s - 1) t) (Esser et al. 2024). As in Wan2.2-TI2V, tokens may have times of their own: 0 for
those of the given image, t for the others.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from training.adapter.config import Site
from training.backbones.published import FrozenNetwork
from training.timing import VideoTiming

TIME_STEPS = 1000


class WanFlow(FrozenNetwork):
    """Flow matching around a diffusers `WanTransformer3DModel`.

    Attributes:
        time_shift: s; above 1 dwells on more noise.
        own_times: whether the tokens of the given image are at time 0, whatever the others' time.
    """

    video: VideoTiming
    time_shift: float
    own_times = True

    def __init__(self, architecture: Mapping[str, Any], *, blocks: list[int]) -> None:
        self._architecture, self._blocks = architecture, blocks

    @property
    def text_width(self) -> int:
        """What the transformer takes."""
        return int(self._architecture["text_dim"])

    def parameter_count(self) -> int:
        """Parameters of the transformer."""
        network = self._network if self._network is not None else meta_transformer(self._architecture)
        return sum(weight.numel() for weight in network.parameters())

    def sites(self) -> tuple[Site, ...]:
        """The text cross-attention of the chosen blocks."""
        width = self._architecture["num_attention_heads"] * self._architecture["attention_head_dim"]
        return tuple(Site(f"blocks.{block}.attn2", width) for block in self._blocks)

    def time_of(self, normal: float) -> float:
        """The shifted logistic of a standard normal number."""
        return shifted_time(1 / (1 + math.exp(-normal)), shift=self.time_shift)

    def noise(self, clean: Tensor, noise: Tensor, time: Tensor, image_mask: Tensor) -> Tensor:
        """x_t = (1 - t) x + t e; latent frame 0 stays x where it is given."""
        share = time.view(-1, 1, 1, 1, 1)
        return first_kept((1 - share) * clean + share * noise, clean, image_mask)

    def target(self, clean: Tensor, noise: Tensor, time: Tensor) -> Tensor:  # noqa: ARG002 (others need the time)
        """The velocity e - x."""
        return noise - clean

    def denoise(
        self,
        noisy: Tensor,
        time: Tensor,
        text: Tensor,
        image_mask: Tensor,
        image: Mapping[str, Tensor] | None = None,  # noqa: ARG002 (the first latent is all)
    ) -> Tensor:
        """The velocity at x_t."""
        kind = compute_dtype(self.network)
        times = self.token_times(noisy, time, image_mask) if self.own_times else time
        noise_pred: Tensor = self.network(noisy.to(kind), times * TIME_STEPS, text.to(kind), return_dict=False)[0]
        return noise_pred.to(noisy.dtype)

    def token_times(self, noisy: Tensor, time: Tensor, image_mask: Tensor) -> Tensor:
        """(clips, tokens) 0 for tokens of a given first latent frame, the clip's time for all others."""
        _, height, width = self._architecture["patch_size"]
        tokens = (noisy.shape[3] // height) * (noisy.shape[4] // width)
        frames = time[:, None].repeat(1, noisy.shape[2])
        frames[:, 0] *= ~image_mask
        return frames.repeat_interleave(tokens, dim=1)

    def sampling_times(self, steps: int) -> list[float]:
        """Evenly spaced times, shifted, from 1 to 0."""
        return [shifted_time(1 - n / steps, shift=self.time_shift) for n in range(steps + 1)]

    def step(self, latents: Tensor, noise_pred: Tensor, *, now: float, then: float) -> Tensor:
        """Euler: x - (now - then) v."""
        return latents - (now - then) * noise_pred

    def to(self, device: str) -> None:
        """Move the transformer to a device."""
        self.network.to(device)


def first_kept(mixed: Tensor, clean: Tensor, image_mask: Tensor) -> Tensor:
    """`mixed`, with the clean first latent frame in the clips whose image is given."""
    first = torch.where(image_mask.view(-1, 1, 1, 1, 1), clean[:, :, :1], mixed[:, :, :1])
    return torch.cat([first, mixed[:, :, 1:]], dim=2)


def shifted_time(time: float, *, shift: float) -> float:
    """s t / (1 + (s - 1) t): 0 and 1 stay, times between move towards noise where s > 1."""
    return shift * time / (1 + (shift - 1) * time)


def compute_dtype(network: Any) -> torch.dtype:
    """What a transformer computes in: the precision of its patches, for tables and norms stay in float32."""
    dtype: torch.dtype = network.patch_embedding.weight.dtype
    return dtype


def meta_transformer(architecture: Mapping[str, Any]) -> Any:
    """A transformer without memory, to count with."""
    from diffusers import WanTransformer3DModel

    with torch.device("meta"):
        return WanTransformer3DModel(**architecture)
