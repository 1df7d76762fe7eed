"""A small image-to-video generator of the drawn world: 96 x 96 px, 24 frames at 12 fps; it comes with the package.

A Wan transformer as the big ones are, pretrained without sound on drawn films (`training.world`), which a laptop trains
and samples within seconds. What differs from them [ours]:

- the codec (`drawn_codec.py`) paints frames upon the given picture, which it sees at full sharpness;
- the given image is repeated along the channels of every latent frame, as in the paper's figure [paper], besides being
  the clean first frame [Wan2.2-TI2V];
- words: each word of the caption is a fixed pseudo-random vector (`words.py`);
- it predicts the clean latent x rather than the velocity (x_t - x) / t: most of x is near zero, which is easy to say,
  while the velocity holds all the noise ("Back to Basics", Li and He 2025).
"""

import copy
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shards.errors import BadInput
from training.backbones.base import Latents
from training.backbones.drawn_codec import STEP_PX, DrawnCodec
from training.backbones.flow import TIME_STEPS, WanFlow, compute_dtype, first_kept
from training.backbones.folder import load_part, pixels_of, read_json, to_pixels, version_of
from training.backbones.words import VERSION, WORD_WIDTH, WORDS, word_rows
from training.settings.options import BackboneOptions, SiteChoice
from training.timing import VideoTiming

SHIPPED = Path(__file__).with_name("drawn_weights")
"""The generator that comes with the package, in diffusers' layout: `transformer/`, `vae/`."""

VIDEO, SIZE_PX = VideoTiming(frames=24, fps=12), (96, 96)
_CHANNELS, _PATCH = 32, 2
ARCHITECTURE: dict[str, Any] = {
    "patch_size": (1, _PATCH, _PATCH),
    "num_attention_heads": 8,
    "attention_head_dim": 32,
    "in_channels": 2 * _CHANNELS,
    "out_channels": _CHANNELS,
    "text_dim": WORD_WIDTH,
    "freq_dim": 64,
    "ffn_dim": 1024,
    "num_layers": 5,
    "cross_attn_norm": True,
    "qk_norm": "rms_norm_across_heads",
}
_PICTURE = "picture"
_EARLIEST_TIME = 0.05


class DrawnBackbone(WanFlow):
    """The generator of the drawn world, its own weights or those of a folder."""

    name = "drawn"
    text_version = VERSION
    time_shift = 4.0
    text_tokens = WORDS
    usual_steps, usual_guidance = 10, 1.0

    def __init__(self, options: BackboneOptions | None = None) -> None:
        chosen = options or BackboneOptions()
        self.folder = chosen.weights or SHIPPED
        super().__init__(ARCHITECTURE, blocks=chosen.chosen(range(ARCHITECTURE["num_layers"]), own=SiteChoice.ALL))
        self.video = chosen.video(VIDEO)
        self.size_px = chosen.size(SIZE_PX, step_px=_PATCH * STEP_PX)

    @property
    def codec_version(self) -> str:
        """The codec's own digest."""
        return version_of(self.folder / "vae")

    @property
    def latent_shape(self) -> tuple[int, int, int, int]:
        """(32, frames, h / 24, w / 24)."""
        return _CHANNELS, self.video.latents, self.size_px[0] // STEP_PX, self.size_px[1] // STEP_PX

    @property
    def condition_shapes(self) -> dict[str, tuple[int, ...]]:
        """The picture itself, which the decoder paints upon."""
        return {_PICTURE: (3, *self.size_px)}

    @cached_property
    def codec(self) -> DrawnCodec:
        """Its codec, on the CPU: it is small."""
        codec: DrawnCodec = load_part(DrawnCodec, self.folder / "vae")
        return codec

    def blank(self) -> "DrawnBackbone":
        """A copy with a new network."""
        from diffusers import WanTransformer3DModel

        twin = copy.copy(self)
        twin.network = WanTransformer3DModel(**ARCHITECTURE)
        return twin

    @torch.no_grad()
    def encode_video(self, frames: NDArray[np.uint8]) -> Latents:
        """(frames, h, w, 3) RGB -> (32, frames, h', w'): the picture, then what is different from it."""
        return Latents(self.codec.normalised(self.codec.encode(pixels_of(frames).transpose(0, 1))))

    def encode_image(self, picture: NDArray[np.uint8]) -> Tensor:
        """(h, w, 3) RGB -> (32, 1, h', w')."""
        return self.encode_video(picture[None]).mean

    def encode_condition(self, picture: NDArray[np.uint8]) -> dict[str, Tensor]:
        """(h, w, 3) RGB -> `picture` (3, h, w) in [-1, 1]."""
        return {_PICTURE: pixels_of(picture[None])[:, 0]}

    @torch.no_grad()
    def decode_video(self, latents: Tensor, image: Mapping[str, Tensor] | None = None) -> NDArray[np.uint8]:
        """(32, frames, h', w') upon its picture -> (frames, h, w, 3) RGB; the first frame is the picture.

        Raises:
            BadInput: there is no picture.
        """
        if image is None:
            raise BadInput(
                "the drawn world's codec paints upon a picture, and there is none", remedy="give the first image"
            )
        picture, rows = image[_PICTURE][None].float(), self.codec.restored(latents.float())
        painted = self.codec.decode(rows[1:], rows[:1], picture)
        return to_pixels(torch.cat([picture, painted]).transpose(0, 1))

    def encode_text(self, caption: str) -> Tensor:
        """(8, 64): see `word_rows`."""
        return word_rows(caption)

    def release_codec(self) -> None:
        """It is small, and stays."""

    def denoise(
        self,
        noisy: Tensor,
        time: Tensor,
        text: Tensor,
        image_mask: Tensor,
        image: Mapping[str, Tensor] | None = None,  # noqa: ARG002 (the network sees the first latent; the decoder, this)
    ) -> Tensor:
        """The velocity (x_t - x) / t of the predicted clean latent x."""
        clean = self._clean(noisy, time, text, image_mask)
        velocity: Tensor = (noisy - clean) / time.clamp(min=_EARLIEST_TIME).view(-1, 1, 1, 1, 1)
        return velocity

    def _clean(self, noisy: Tensor, time: Tensor, text: Tensor, image_mask: Tensor) -> Tensor:
        """The predicted clean latent."""
        share = time.view(-1, 1, 1, 1, 1)
        # Latents and noise have spread 1: so has this mixture of them.
        scaled = first_kept(noisy * ((1 - share).square() + share.square()).rsqrt(), noisy, image_mask)
        shown = (noisy[:, :, :1] * image_mask.view(-1, 1, 1, 1, 1)).expand_as(noisy)
        times, kind = self.token_times(noisy, time, image_mask) * TIME_STEPS, compute_dtype(self.network)
        guess: Tensor = self.network(
            torch.cat([scaled, shown], dim=1).to(kind), times, text.to(kind), return_dict=False
        )[0]
        return guess.to(noisy.dtype)

    def weights_dir(self) -> Path:
        """Its own folder, or the one that was named.

        Raises:
            Unavailable: there is nothing.
        """
        read_json(self.folder / "transformer" / "config.json")
        return self.folder

    def load_weights(self, folder: Path) -> None:
        """Load the frozen transformer."""
        from diffusers import WanTransformer3DModel

        self.network = load_part(WanTransformer3DModel, folder / "transformer")
