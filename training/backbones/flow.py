"""What all Wan-shaped backbones share: the flow, the hook points, and a clean first frame at time zero.

As in Wan2.2-TI2V, every token has a time of its own: 0 for the tokens of the given image, t for the others.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from training.adapter_config import Site
from training.timing import VideoTiming

TIME_STEPS = 1000


class WanFlow:
    """Flow matching around a diffusers `WanTransformer3DModel`."""

    video: VideoTiming
    transformer: Any

    def __init__(self, transformer: Any, *, blocks: Sequence[int]) -> None:
        self.transformer = transformer.requires_grad_(False).eval()
        self._blocks = tuple(blocks)

    def parameter_count(self) -> int:
        """Parameters of the transformer."""
        return sum(weight.numel() for weight in self.transformer.parameters())

    def sites(self) -> tuple[Site, ...]:
        """The text cross-attention of the chosen blocks."""
        config = self.transformer.config
        width = config.num_attention_heads * config.attention_head_dim
        return tuple(Site(f"blocks.{block}.attn2", width) for block in self._blocks)

    def modules_by_site(self) -> Mapping[str, nn.Module]:
        """The text cross-attention modules."""
        return {f"blocks.{block}.attn2": self.transformer.blocks[block].attn2 for block in self._blocks}

    def noise(self, clean: Tensor, noise: Tensor, time: Tensor) -> Tensor:
        """x_t = (1 - t) x + t e; latent frame 0 stays x."""
        share = time.view(-1, 1, 1, 1, 1)
        mixed = (1 - share) * clean + share * noise
        return torch.cat([clean[:, :, :1], mixed[:, :, 1:]], dim=2)

    def target(self, clean: Tensor, noise: Tensor) -> Tensor:
        """The velocity e - x."""
        return noise - clean

    def denoise(self, noisy: Tensor, time: Tensor, text: Tensor) -> Tensor:
        """The velocity at x_t."""
        times = self.token_times(noisy, time)
        velocity: Tensor = self.transformer(noisy, times * TIME_STEPS, text, return_dict=False)[0]
        return velocity

    def token_times(self, noisy: Tensor, time: Tensor) -> Tensor:
        """(clips, tokens) 0 for tokens of the first latent frame, the clip's time for all others."""
        _, height, width = self.transformer.config.patch_size
        tokens = (noisy.shape[3] // height) * (noisy.shape[4] // width)
        frames = time[:, None].repeat(1, noisy.shape[2])
        frames[:, 0] = 0.0
        return frames.repeat_interleave(tokens, dim=1)

    def to(self, device: str) -> None:
        """Move the transformer to a device."""
        self.transformer.to(device)
