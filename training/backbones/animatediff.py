"""AnimateDiff on Stable Diffusion 1.5 (Apache-2.0 and CreativeML OpenRAIL-M), through diffusers.

A UNet without temporal compression: every frame has a latent of its own.

The image is given as the clean first latent frame, as in AVSyncD [pred]. Sound enters behind the text attention of
every spatial block [paper]; the blocks' tokens come as (clips x frames, places, width), which the adapter knows.
"""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.adapter.config import Site
from training.backbones.base import Latents
from training.backbones.diffusion import NoiseSchedule
from training.backbones.folder import load_part, pixels_of, read_json, to_pixels, version_of
from training.backbones.published import FolderOfParts, FrozenNetwork
from training.settings.options import BackboneOptions, SiteChoice
from training.timing import VideoTiming

_SD15: dict[str, Any] = {"cross_attention_dim": 768, "motion_max_seq_length": 32}
_SCALE = 0.18215
_CODEC_STEP_PX = 64
_TEXT_TOKENS = 77


class AnimateDiff(FolderOfParts, FrozenNetwork, NoiseSchedule):
    """From a folder with `unet/` (a motion UNet, or an image UNet beside `motion_adapter/`), `vae/`, `text_encoder/`,
    `tokenizer/`, and `scheduler/` where that is not AnimateDiff's own."""

    name = "animatediff"
    text_tokens = _TEXT_TOKENS
    usual_steps, usual_guidance = 25, 7.5
    remedy = "name a folder with unet, motion_adapter, vae, text_encoder, tokenizer: --set weights=FOLDER"

    def __init__(self, options: BackboneOptions) -> None:
        self.folder, self.half, self.device = options.weights, options.half, options.device
        super().__init__(_schedule(self.folder) if self.folder else {})
        self.video = options.video(VideoTiming(frames=16, fps=8))
        self.size_px = options.size((256, 256), step_px=_CODEC_STEP_PX)
        with torch.device("meta"):
            shape = self._new_network()
        self._text_width: int = int(shape.config.cross_attention_dim)
        self._parameters = sum(weight.numel() for weight in shape.parameters())
        self._sites = tuple(options.chosen(_text_attentions(shape), own=SiteChoice.ALL))

    @property
    def latent_shape(self) -> tuple[int, int, int, int]:
        """(4, frames, h / 8, w / 8)."""
        return 4, self.video.latents, self.size_px[0] // 8, self.size_px[1] // 8

    @property
    def text_width(self) -> int:
        """What the UNet takes."""
        return self._text_width

    def blank(self) -> "AnimateDiff":
        """A copy with a new network."""
        twin = copy.copy(self)
        twin.network = self._new_network()
        return twin

    @property
    def codec_version(self) -> str:
        """The VAE's file and the size."""
        return f"sd-vae-1 {version_of(self._folder / 'vae')} {self.size_px}"

    @property
    def text_version(self) -> str:
        """The text encoder's files."""
        return f"clip-1 {version_of(self._folder / 'text_encoder')}"

    def parameter_count(self) -> int:
        """Parameters of the UNet."""
        return int(self._parameters)

    def sites(self) -> tuple[Site, ...]:
        """The text attentions of the chosen spatial blocks."""
        return self._sites

    def denoise(
        self,
        noisy: Tensor,
        time: Tensor,
        text: Tensor,
        image_mask: Tensor,  # noqa: ARG002 (one time for all frames)
        image: Mapping[str, Tensor] | None = None,  # noqa: ARG002 (the first latent is all)
    ) -> Tensor:
        """The noise (or v, where the scheduler says so) in x_t."""
        kind = cast(nn.Conv2d, self.network.conv_in).weight.dtype
        # The spatial blocks see frames as clips of their own.
        words = text.to(kind).repeat_interleave(noisy.shape[2], dim=0)
        noise_pred: Tensor = self.network(noisy.to(kind), self.steps_of(time), words, return_dict=False)[0]
        return noise_pred.to(noisy.dtype)

    def encode_video(self, frames: NDArray[np.uint8]) -> Latents:
        """(frames, h, w, 3) RGB -> (4, frames, h / 8, w / 8), mean and spread."""
        codec = self.vae()
        pixels = pixels_of(frames).transpose(0, 1).to(codec.device, codec.dtype)
        with torch.no_grad():
            posterior = codec.encode(pixels).latent_dist
        mean, std = (value.float().cpu().transpose(0, 1) * _SCALE for value in (posterior.mean, posterior.std))
        return Latents(mean, std)

    def encode_image(self, picture: NDArray[np.uint8]) -> Tensor:
        """(h, w, 3) RGB -> (4, 1, h / 8, w / 8)."""
        return self.encode_video(picture[None]).mean

    def decode_video(self, latents: Tensor, image: Mapping[str, Tensor] | None = None) -> NDArray[np.uint8]:  # noqa: ARG002
        """(4, frames, h / 8, w / 8) -> (frames, h, w, 3) RGB."""
        codec = self.vae()
        with torch.no_grad():
            decoded = codec.decode((latents.transpose(0, 1) / _SCALE).to(codec.device, codec.dtype)).sample
        return to_pixels(decoded.transpose(0, 1))

    def encode_text(self, caption: str) -> Tensor:
        """(77, width): CLIP's last layer, padded as CLIP is."""
        if self._words is None:
            from transformers import AutoTokenizer, CLIPTextModel

            tokenizer = AutoTokenizer.from_pretrained(self._folder / "tokenizer", local_files_only=True)
            encoder = load_part(CLIPTextModel, self._folder / "text_encoder", device=self.device)
            self._words = tokenizer, encoder
        tokenizer, encoder = self._words
        inputs = tokenizer(
            [caption], padding="max_length", truncation=True, max_length=self.text_tokens, return_tensors="pt"
        ).to(encoder.device)
        with torch.no_grad():
            rows: Tensor = encoder(inputs.input_ids).last_hidden_state[0]
        return rows.float().cpu()

    def load_weights(self, folder: Path) -> None:
        """Load the frozen UNet, joined with the motion adapter where that lies beside it."""
        from diffusers import MotionAdapter, UNet2DConditionModel, UNetMotionModel

        self.folder = folder
        if (folder / "motion_adapter").is_dir():
            still = load_part(UNet2DConditionModel, folder / "unet", half=self.half)
            motion = load_part(MotionAdapter, folder / "motion_adapter", half=self.half)
            self.network = UNetMotionModel.from_unet2d(still, motion)
        else:
            self.network = load_part(UNetMotionModel, folder / "unet", half=self.half)

    def to(self, device: str) -> None:
        """Move UNet and schedule to a device."""
        self.network.to(device)
        self.kept = self.kept.to(device)

    def pipeline(self) -> Any:
        """diffusers' pipeline from words, with DDIM."""
        from diffusers import AnimateDiffPipeline, DDIMScheduler

        before = torch.cat([self.kept.new_ones(1), self.kept[:-1]])
        scheduler = DDIMScheduler(
            trained_betas=(1 - self.kept / before).tolist(),
            prediction_type=self.predicts,
            clip_sample=False,
            timestep_spacing="trailing",
        )
        parts = {"unet": self.network, "vae": self.vae(), "tokenizer": None, "text_encoder": None}
        return AnimateDiffPipeline(**parts, motion_adapter=None, scheduler=scheduler)

    def times_of(self, scheduler: Any) -> list[float]:
        """Its steps as shares of the schedule; below 0 stands clean data."""
        return [float(step) / (len(self.kept) - 1) for step in scheduler.timesteps] + [-1.0]

    def _codec_kind(self) -> Any:
        from diffusers import AutoencoderKL

        return AutoencoderKL

    def _new_network(self) -> Any:
        """A UNet of the folder's shape, or of AnimateDiff's own."""
        from diffusers import UNet2DConditionModel, UNetMotionModel

        config = read_json(self.folder / "unet" / "config.json") if self.folder else {}
        own = {name: value for name, value in config.items() if not name.startswith("_")}
        if config.get("_class_name", "UNetMotionModel") == "UNetMotionModel":
            return UNetMotionModel(**(own or _SD15))
        return UNetMotionModel.from_unet2d(UNet2DConditionModel(**own), load_weights=False)


def _schedule(folder: Path) -> dict[str, Any]:
    """The folder's scheduler configuration; beside `motion_adapter/` it is Stable Diffusion's, whose betas are not the
    linear ones that motion modules were trained with."""
    path = folder / "scheduler" / "scheduler_config.json"
    config = read_json(path) if path.is_file() else {}
    return config | {"beta_schedule": "linear"} if (folder / "motion_adapter").is_dir() else config


def _text_attentions(network: nn.Module) -> list[Site]:
    """The text attention of every spatial block; motion modules have none."""
    return [
        Site(name, module.to_q.in_features)
        for name, module in network.named_modules()
        if name.endswith("attn2") and "motion_modules" not in name and hasattr(module, "to_q")
    ]
