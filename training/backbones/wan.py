"""The Wan family of video generators (Apache-2.0), through diffusers: transformer, causal video VAE, UMT5.

All presets compress time 4:1, causally. Sound enters in the last half of the blocks: as many parameters as in every
second block at half the cost, since autograd starts at the first adapter; Syncphony puts its audio layers late too
[ours]. The image is given as the clean first latent frame: Wan2.2-TI2V was trained so (its tokens at time 0,
`expand_timesteps`); Wan2.1-T2V was not, and learns nothing about it here, since it is frozen. Wan2.1-I2V has a way of
its own (`wan_i2v.py`).
"""

import copy
import html
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shards.errors import BadInput
from training.backbones.base import Latents
from training.backbones.flow import WanFlow
from training.backbones.folder import load_part, pixels_of, read_json, to_pixels, version_of
from training.backbones.published import FolderOfParts
from training.settings.options import BackboneOptions, SiteChoice
from training.timing import VideoTiming

_FAMILY: dict[str, Any] = {
    "patch_size": (1, 2, 2),
    "attention_head_dim": 128,
    "text_dim": 4096,
    "freq_dim": 256,
    "num_layers": 30,
    "cross_attn_norm": True,
    "qk_norm": "rms_norm_across_heads",
    "eps": 1e-6,
    "rope_max_seq_len": 1024,
}


@dataclass(frozen=True, slots=True)
class WanKind:
    """What tells models of the family apart, whatever their size.

    Attributes:
        network, codec: diffusers' classes.
        sees_image: whether the network takes an image beside the noisy latents.
        own_times: see `WanPreset`.
    """

    network: str = "WanTransformer3DModel"
    codec: str = "AutoencoderKLWan"
    sees_image: bool = False
    own_times: bool = False

    def unlike(self, wanted: "WanKind") -> str:
        """What differs, in words."""
        pairs = ((name, getattr(self, name), getattr(wanted, name)) for name in self.__slots__)
        return ", ".join(f"{name} is {mine} instead of {theirs}" for name, mine, theirs in pairs if mine != theirs)


@dataclass(frozen=True, slots=True)
class WanPreset:
    """A published Wan model: its transformer's architecture, and clock and size for about two seconds."""

    name: str
    architecture: Mapping[str, Any]
    video: VideoTiming
    size_px: tuple[int, int]
    time_shift: float
    own_times: bool
    space_ratio: int
    sees_image: bool = False

    @property
    def kind(self) -> WanKind:
        """What a folder of it looks like."""
        return WanKind(sees_image=self.sees_image, own_times=self.own_times)


PRESETS = {
    preset.name: preset
    for preset in (
        WanPreset(
            "wan2.2-ti2v-5b",
            _FAMILY | {"num_attention_heads": 24, "ffn_dim": 14336, "in_channels": 48, "out_channels": 48},
            VideoTiming(frames=49, fps=24, ratio=4),
            size_px=(480, 832),
            time_shift=5.0,
            own_times=True,
            space_ratio=16,
        ),
        WanPreset(
            "wan2.1-1.3b",
            _FAMILY | {"num_attention_heads": 12, "ffn_dim": 8960, "in_channels": 16, "out_channels": 16},
            VideoTiming(frames=33, fps=16, ratio=4),
            size_px=(320, 512),
            time_shift=3.0,
            own_times=False,
            space_ratio=8,
        ),
        WanPreset(
            "wan2.1-i2v-14b",
            _FAMILY
            | {"num_layers": 40, "num_attention_heads": 40, "ffn_dim": 13824, "in_channels": 36, "out_channels": 16}
            | {"image_dim": 1280, "added_kv_proj_dim": 5120},
            VideoTiming(frames=33, fps=16, ratio=4),
            size_px=(480, 832),
            time_shift=3.0,
            own_times=False,
            space_ratio=8,
            sees_image=True,
        ),
    )
}
_TEXT_TOKENS = 512


class WanBackbone(FolderOfParts, WanFlow):
    """A Wan model in a folder of diffusers' layout; parts are loaded when they are first needed."""

    text_tokens = _TEXT_TOKENS
    usual_steps, usual_guidance = 50, 5.0

    def __init__(self, preset: WanPreset, options: BackboneOptions, folder: Path | None) -> None:
        config = read_json(folder / "transformer" / "config.json") if folder else {}
        own = {name: value for name, value in config.items() if not name.startswith("_")}
        if folder:
            check_kind(preset, folder)
        architecture = own or preset.architecture
        blocks = options.chosen(range(architecture["num_layers"]), own=SiteChoice.LATE)
        super().__init__(architecture, blocks=list(blocks))
        codec = read_json(folder / "vae" / "config.json") if folder else {}
        space = codec.get("scale_factor_spatial") or preset.space_ratio
        self.name, self.folder, self.half, self.device = preset.name, folder, options.half, options.device
        self.video = options.video(preset.video)
        self.size_px = options.size(preset.size_px, step_px=space * architecture["patch_size"][1])
        self.time_shift, self.own_times = preset.time_shift, preset.own_times
        self.remedy = f"clapboard weights fetch {preset.name}, or name a folder: --set weights=FOLDER"
        self._space = space

    @property
    def latent_shape(self) -> tuple[int, int, int, int]:
        """(channels, latents, h', w')."""
        height, width = (side // self._space for side in self.size_px)
        return int(self._architecture["out_channels"]), self.video.latents, height, width

    def blank(self) -> "WanBackbone":
        """A copy with a new network."""
        from diffusers import WanTransformer3DModel

        twin = copy.copy(self)
        twin.network = WanTransformer3DModel(**self._architecture)
        return twin

    @property
    def codec_version(self) -> str:
        """The VAE's file and the size."""
        return f"wan-vae-1 {version_of(self._folder / 'vae')} {self.size_px}"

    @property
    def text_version(self) -> str:
        """The text encoder's files and precision."""
        return f"umt5-2 {version_of(self._folder / 'text_encoder')}{' bf16' if self.half else ''}"

    def encode_video(self, frames: NDArray[np.uint8]) -> Latents:
        """(frames, h, w, 3) RGB -> normalised latents (z, latents, h / 8 or 16, ...), mean and spread."""
        return self._encoded(pixels_of(frames))

    def _encoded(self, levels: Tensor) -> Latents:
        """(3, frames, h, w) in [-1, 1] -> normalised latents."""
        codec = self.vae()
        with torch.no_grad():
            posterior = codec.encode(levels[None].to(codec.device, codec.dtype)).latent_dist
        mean, std = (torch.tensor(codec.config[name]).view(-1, 1, 1, 1) for name in ("latents_mean", "latents_std"))
        middle, spread = (value[0].float().cpu() for value in (posterior.mean, posterior.std))
        return Latents((middle - mean) / std, spread / std)

    def encode_image(self, picture: NDArray[np.uint8]) -> Tensor:
        """(h, w, 3) RGB -> the first latent frame; the VAE is causal, so it is that of any video it begins."""
        return self.encode_video(picture[None]).mean

    def decode_video(self, latents: Tensor, image: Mapping[str, Tensor] | None = None) -> NDArray[np.uint8]:  # noqa: ARG002
        """(z, latents, h', w') -> (frames, h, w, 3) RGB."""
        codec = self.vae()
        mean, std = (torch.tensor(codec.config[name]).view(-1, 1, 1, 1) for name in ("latents_mean", "latents_std"))
        raw = latents.float().cpu() * std + mean
        with torch.no_grad():
            return to_pixels(codec.decode(raw[None].to(codec.device, codec.dtype)).sample[0])

    def encode_text(self, caption: str) -> Tensor:
        """(tokens, width): UMT5's last layer, without padding."""
        if self._words is None:
            from transformers import AutoTokenizer, UMT5EncoderModel

            tokenizer = AutoTokenizer.from_pretrained(self._folder / "tokenizer", local_files_only=True)
            encoder = load_part(UMT5EncoderModel, self._folder / "text_encoder", device=self.device, half=self.half)
            self._words = tokenizer, encoder
        tokenizer, encoder = self._words
        given = tokenizer([cleaned(caption)], truncation=True, max_length=self.text_tokens, return_tensors="pt").to(
            encoder.device
        )
        with torch.no_grad():
            rows: Tensor = encoder(given.input_ids, given.attention_mask).last_hidden_state[0]
        return rows.float().cpu()

    def load_weights(self, folder: Path) -> None:
        """Load the frozen transformer (diffusers' layout, sharded safetensors)."""
        from diffusers import WanTransformer3DModel

        self.folder = folder
        self.network = load_part(WanTransformer3DModel, folder / "transformer", half=self.half)

    def pipeline(self) -> Any:
        """diffusers' pipeline: with an image where the model follows one, else from words alone."""
        from diffusers import FlowMatchEulerDiscreteScheduler, WanImageToVideoPipeline, WanPipeline

        follows = self.own_times or not self.clean_first
        parts = {"transformer": self.network, "vae": self.vae(), "tokenizer": None, "text_encoder": None}
        scheduler = FlowMatchEulerDiscreteScheduler(shift=self.time_shift)
        kind = WanImageToVideoPipeline if follows else WanPipeline
        return kind(**parts, scheduler=scheduler, expand_timesteps=self.own_times)

    def times_of(self, scheduler: Any) -> list[float]:
        """Its sigmas."""
        return [float(sigma) for sigma in scheduler.sigmas]

    def _codec_kind(self) -> Any:
        from diffusers import AutoencoderKLWan

        return AutoencoderKLWan


def cleaned(caption: str) -> str:
    """A caption as Wan was trained on them: mojibake mended, entities resolved, one space between words."""
    import ftfy

    return " ".join(html.unescape(html.unescape(ftfy.fix_text(caption))).split())


def check_kind(preset: WanPreset, folder: Path) -> None:
    """Whether a folder holds a model of the preset's kind.

    Raises:
        BadInput: it is another one of the family, or none of it.
        Unavailable: a part of it is missing.
    """
    config, codec = (read_json(folder / part / "config.json") for part in ("transformer", "vae"))
    index = folder / "model_index.json"
    found = WanKind(
        network=str(config.get("_class_name")),
        codec=str(codec.get("_class_name")),
        # What comes besides noisy latents, which are as many channels as are predicted.
        sees_image=config["in_channels"] > config["out_channels"],
        own_times=bool(read_json(index).get("expand_timesteps", False)) if index.is_file() else preset.own_times,
    )
    if found != preset.kind:
        raise BadInput(
            f"{folder} holds no {preset.name}: {found.unlike(preset.kind)}",
            remedy=f"name the backbone that it is, one of {', '.join(PRESETS)}, or another folder",
        )
