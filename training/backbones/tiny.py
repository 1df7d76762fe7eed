"""A small Wan transformer for machines without weights or GPU: 64x64 px, 12 frames at 6 fps, trained on the spot.

Everything about it is the big backbones' but its codec, its words and its parametrisation [ours]:

- codec: latent frame 0 is the image, latent frame k the difference of frame k to it, so a still background costs
  nothing and stays sharp; lossless;
- the image is repeated along the channels of every latent frame, as in the paper's figure [paper], besides being the
  clean first frame [Wan2.2-TI2V];
- words: each word of the caption is a fixed pseudo-random vector (`words.py`);
- the transformer sees and predicts the coarse part of each 8x8 block's spectrum (`spectrum.py`), and predicts the
  clean latent x rather than the velocity (x_t - x) / t: most of x is exactly zero, which is easy to say, while the
  velocity holds all the noise ("Back to Basics", Li and He 2025). Untrained it says x = 0, a still picture.

12 frames at 6 fps is the predecessor's format [pred].
"""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.backbones.base import Latents
from training.backbones.flow import TIME_STEPS, WanFlow, compute_dtype, first_kept
from training.backbones.folder import pixels_of, to_pixels
from training.backbones.spectrum import BLOCK, block_spectrum, from_blocks, to_blocks
from training.backbones.words import WORD_WIDTH, WORDS, word_rows
from training.settings.options import BackboneOptions, SiteChoice
from training.timing import VideoTiming

_COMPONENTS = 48
ARCHITECTURE: dict[str, Any] = {
    "patch_size": (1, 2, 2),
    "num_attention_heads": 6,
    "attention_head_dim": 32,
    "in_channels": 2 * _COMPONENTS,
    "out_channels": _COMPONENTS,
    "text_dim": WORD_WIDTH,
    "freq_dim": 64,
    "ffn_dim": 768,
    "num_layers": 4,
    "cross_attn_norm": True,
    "qk_norm": "rms_norm_across_heads",
}
_WEIGHTS = "diffusion_pytorch_model.safetensors"
_DIFFERENCE_GAIN = 2.0
_EARLIEST_TIME = 0.1


class TinyBackbone(WanFlow):
    """The small generator; without `load_weights` its weights are random."""

    name = "tiny"
    codec_version = text_version = "tiny-1"
    time_shift = 6.0
    text_tokens = WORDS
    usual_steps, usual_guidance = 6, 1.0

    def __init__(self, options: BackboneOptions | None = None) -> None:
        chosen = options or BackboneOptions()
        super().__init__(ARCHITECTURE, blocks=chosen.chosen(range(ARCHITECTURE["num_layers"]), own=SiteChoice.ALL))
        self.video = chosen.video(VideoTiming(frames=12, fps=6))
        self.size_px = chosen.size((64, 64), step_px=2 * BLOCK)
        self._rows, self._spreads = block_spectrum(_COMPONENTS)

    def _unloaded(self) -> nn.Module:
        """Random weights, which say a still picture; made when first asked for: importing diffusers takes seconds."""
        from diffusers import WanTransformer3DModel

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            transformer = WanTransformer3DModel(**ARCHITECTURE)
        nn.init.zeros_(transformer.proj_out.weight)
        network: nn.Module = transformer
        return network

    @property
    def latent_shape(self) -> tuple[int, int, int, int]:
        """(3, frames, h, w)."""
        return 3, self.video.latents, *self.size_px

    def blank(self) -> "TinyBackbone":
        """A copy with a new network."""
        from diffusers import WanTransformer3DModel

        twin = copy.copy(self)
        twin.network = WanTransformer3DModel(**ARCHITECTURE)
        twin._rows, twin._spreads = (one.to("cpu", copy=True) for one in (self._rows, self._spreads))
        return twin

    def encode_video(self, frames: NDArray[np.uint8]) -> Latents:
        """(12, 64, 64, 3) RGB -> (3, 12, 64, 64): the image in [-1, 1], then scaled differences to it."""
        levels = pixels_of(frames)
        later = (levels[:, 1:] - levels[:, :1]) * _DIFFERENCE_GAIN
        return Latents(torch.cat([levels[:, :1], later], dim=1))

    def encode_image(self, picture: NDArray[np.uint8]) -> Tensor:
        """(64, 64, 3) RGB -> (3, 1, 64, 64) in [-1, 1]."""
        return pixels_of(picture[None])

    def decode_video(
        self,
        latents: Tensor,
        image: Mapping[str, Tensor] | None = None,  # noqa: ARG002 (the first latent is all)
    ) -> NDArray[np.uint8]:
        """(3, 12, 64, 64) -> (12, 64, 64, 3) RGB; exact for what `encode_video` gave."""
        first = latents[:, :1]
        return to_pixels(torch.cat([first, first + latents[:, 1:] / _DIFFERENCE_GAIN], dim=1))

    def encode_text(self, caption: str) -> Tensor:
        """(8, 64): see `word_rows`."""
        return word_rows(caption)

    def release_codec(self) -> None:
        """There is nothing to forget."""

    def denoise(
        self,
        noisy: Tensor,
        time: Tensor,
        text: Tensor,
        image_mask: Tensor,
        image: Mapping[str, Tensor] | None = None,  # noqa: ARG002 (the first latent is all)
    ) -> Tensor:
        """The velocity (x_t - x) / t of the predicted clean latent x."""
        clean = from_blocks(self._clean_blocks(noisy, time, text, image_mask), self._rows)
        velocity: Tensor = (noisy - clean) / time.clamp(min=_EARLIEST_TIME).view(-1, 1, 1, 1, 1)
        return velocity

    def _clean_blocks(self, noisy: Tensor, time: Tensor, text: Tensor, image_mask: Tensor) -> Tensor:
        """The predicted clean latent as coarse block spectra."""
        seen = to_blocks(noisy, self._rows)
        share, spread = time.view(-1, 1, 1, 1, 1), self._spreads.view(1, -1, 1, 1, 1)
        variance = ((1 - share) * spread).square() + share.square()
        # The given image has its own scale; at time 0 its tokens need no noise scaling.
        image = (seen[:, :, :1] / spread * image_mask.view(-1, 1, 1, 1, 1)).expand_as(seen)
        scaled = first_kept(seen * variance.rsqrt(), image, image_mask)
        times = self.token_times(seen, time, image_mask) * TIME_STEPS
        stacked = torch.cat([scaled, image], dim=1)
        kind = compute_dtype(self.network)
        guess: Tensor = self.network(stacked.to(kind), times, text.to(kind), return_dict=False)[0]
        return guess.to(noisy.dtype) * spread

    def weights_dir(self) -> None:
        """It is pretrained on the clips of a run."""

    def load_weights(self, folder: Path) -> None:
        """Load the frozen transformer (diffusers format, safetensors)."""
        self.network.load_state_dict(safetensors.torch.load_file(folder / _WEIGHTS))

    def to(self, device: str) -> None:
        """Move generator and spectrum to a device."""
        super().to(device)
        self._rows, self._spreads = self._rows.to(device), self._spreads.to(device)
