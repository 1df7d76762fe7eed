"""Wan 2.1 image-to-video (Apache-2.0), which has a way of its own to see the image.

Its latents are noise everywhere. Beside them stand four channels that say which frames are given (the first alone) and
the latents of a video of the image followed by grey; and its cross-attention reads the image as CLIP's vision tower
sees it, one layer before its last.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.backbones.flow import TIME_STEPS, compute_dtype
from training.backbones.folder import load_part, pixels_of, version_of
from training.backbones.wan import WanBackbone

_CLIP_TOKENS = 257
"""ViT-H/14 at 224 px: 16 x 16 patches and the class."""

_CONDITION, _EMBEDS = "condition", "embeds"


class WanImageBackbone(WanBackbone):
    """A Wan image-to-video model in a folder of diffusers' layout."""

    clean_first = False
    _vision: tuple[Any, Any] | None = None

    @property
    def condition_shapes(self) -> dict[str, tuple[int, ...]]:
        """Latents of the image followed by grey, and CLIP's view of it."""
        return {_CONDITION: self.latent_shape, _EMBEDS: (_CLIP_TOKENS, int(self._architecture["image_dim"]))}

    @property
    def codec_version(self) -> str:
        """VAE and vision tower."""
        return f"{super().codec_version} {version_of(self._folder / 'image_encoder')}"

    def encode_condition(self, picture: NDArray[np.uint8]) -> dict[str, Tensor]:
        """(h, w, 3) RGB -> `condition` (z, latents, h', w') and `embeds` (257, 1280)."""
        video = torch.zeros(3, self.video.frames, *picture.shape[:2])
        video[:, :1] = pixels_of(picture[None])
        return {_CONDITION: self._encoded(video).mean, _EMBEDS: self._seen(picture)}

    def release_codec(self) -> None:
        """Forget VAE, text encoder and vision tower."""
        super().release_codec()
        self._vision = None

    def noise(self, clean: Tensor, noise: Tensor, time: Tensor, image_mask: Tensor) -> Tensor:  # noqa: ARG002
        """x_t = (1 - t) x + t e, the first latent frame like the others."""
        share = time.view(-1, 1, 1, 1, 1)
        return (1 - share) * clean + share * noise

    def denoise(
        self,
        noisy: Tensor,
        time: Tensor,
        text: Tensor,
        image_mask: Tensor,
        image: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """The velocity at x_t; where the image is dropped, nothing is given and all is grey."""
        kind, keep = compute_dtype(self.network), image_mask.to(noisy.dtype)
        shown = image or {name: noisy.new_zeros(len(noisy), *shape) for name, shape in self.condition_shapes.items()}
        given = noisy.new_zeros(len(noisy), self.video.ratio, *noisy.shape[2:])
        given[:, :, 0] = keep.view(-1, 1, 1, 1)
        condition = shown[_CONDITION].to(noisy.dtype) * keep.view(-1, 1, 1, 1, 1)
        noise_pred: Tensor = self.network(
            torch.cat([noisy, given, condition], dim=1).to(kind),
            time * TIME_STEPS,
            text.to(kind),
            (shown[_EMBEDS] * keep.view(-1, 1, 1)).to(kind),
            return_dict=False,
        )[0]
        return noise_pred.to(noisy.dtype)

    def pipeline(self) -> Any:
        """diffusers' pipeline, which sees the image through the same tower."""
        made = super().pipeline()
        made.image_processor, tower = self._tower()
        made.register_modules(image_encoder=tower)
        return made

    def _tower(self) -> tuple[Any, Any]:
        """CLIP's vision tower, and what prepares its pixels."""
        if self._vision is None:
            from transformers import CLIPImageProcessor, CLIPVisionModel

            folder = self._folder
            processor = CLIPImageProcessor.from_pretrained(folder / "image_processor", local_files_only=True)
            self._vision = processor, load_part(CLIPVisionModel, folder / "image_encoder", device=self.device)
        return self._vision

    def _seen(self, picture: NDArray[np.uint8]) -> Tensor:
        """(257, 1280): the image as the last layer but one of the tower sees it."""
        processor, tower = self._tower()
        pixels = processor(images=picture, return_tensors="pt").pixel_values.to(tower.device, tower.dtype)
        with torch.no_grad():
            rows: Tensor = tower(pixels, output_hidden_states=True).hidden_states[-2][0]
        return rows.float().cpu()
