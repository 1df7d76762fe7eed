"""PE-AV (Vyas et al. 2025, arXiv 2512.19687) through transformers: pictures and sounds in one space, without words.

Of the released model two towers are kept, and the scale and bias of their logit; what reads text and what fuses both
is let go. Frames are looked at one by one, then in a row, so that windows that overlap share the first part, which
costs nearly all. All else is the library's own code.
"""

import contextlib
import io
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor, nn
from transformers import PeAudioVideoConfig, PeAudioVideoModel

from curation.encoders.base import best_device, half_on_gpu
from shards.errors import BadInput

FRAMES_AT_ONCE = 16


class PeAv:
    """A released model in a local folder of `config.json` and safetensors; threads may share it.

    It loads at its first use. In the precision it was saved in on a CPU, in bfloat16 on a GPU, as its authors run it.
    """

    def __init__(self, name: str, folder: Path, *, device: str | None = None) -> None:
        self._name, self._folder, self._device = name, folder, device
        self._loading = threading.Lock()
        self._towers: _Towers | None = None

    def see(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, width) what the frame encoder makes of each of (n, 336, 336, 3) RGB frames."""
        towers, device = self._loaded()
        made = []
        for first in range(0, len(images), FRAMES_AT_ONCE):
            pixels = torch.tensor(images[first : first + FRAMES_AT_ONCE], device=device).permute(0, 3, 1, 2)
            with torch.inference_mode(), half_on_gpu(device):
                # From -1 to 1, as in the released `processor_config.json`.
                made.append(towers.frames((pixels.float() / 127.5 - 1).to(towers.dtype)).logits.float().cpu().numpy())
        return np.concatenate(made)

    def compare(self, seen: NDArray[np.float32], sounds: NDArray[np.float32]) -> NDArray[np.float32]:
        """(clips, 2) logit and cosine of (clips, ticks, width) seen frames and (clips, ticks * 1920) samples at 48 kHz.

        The logit is the one that `PeAudioVideoModel` gives a pair (`logits_audio_video`).
        """
        towers, device = self._loaded()
        rows = (torch.from_numpy(one).to(device, towers.dtype) for one in (seen, sounds))
        with torch.inference_mode(), half_on_gpu(device):
            return np.asarray(towers(*rows).cpu().numpy())

    def _loaded(self) -> tuple["_Towers", str]:
        device = self._device or best_device()
        with self._loading:
            if self._towers is None:
                # Of its own methods, transformers prints what they lack to standard output, where results belong.
                with contextlib.redirect_stdout(io.StringIO()):
                    self._towers = _Towers(_load(self._name, self._folder)).eval().to(device)
            return self._towers, device


class _Towers(nn.Module):
    """The two towers of a model, taken out of it."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.frames = model.video_model.video_encoder.embedder.vision_model
        self.picture, self.picture_head = model.video_model.video_encoder, model.video_model.video_head
        self.sound, self.sound_head = model.audio_model.audio_encoder, model.audio_model.audio_head
        self.scale, self.bias = model.audio_video_logit_scale, model.audio_video_logit_bias
        self.picture.embedder.vision_model = _Seen()
        self.dtype: torch.dtype = model.dtype

    def forward(self, seen: Tensor, sounds: Tensor) -> Tensor:
        watched = self.picture_head(self.picture(pixel_values_videos=seen).pooler_output).float()
        heard = self.sound_head(self.sound(input_values=sounds[:, None]).pooler_output).float()
        logit = (heard * watched).sum(dim=1) * self.scale.float() + self.bias.float()
        return torch.stack([logit, nn.functional.cosine_similarity(heard, watched)], dim=1)


class _Seen(nn.Module):
    """Stands in the frame encoder's place once frames have been seen."""

    def forward(self, seen: Tensor) -> SimpleNamespace:
        return SimpleNamespace(logits=seen)


class _Model(PeAudioVideoModel):  # type: ignore[misc]
    """PE-AV as it can be loaded with every timm.

    The weights of a tower are tied to those of another, all but the buffers of timm's rotary embedding, of which
    transformers 5.23 names one; timm 1.0.31 has a second one, `bands`, and loading stops there.
    """

    _tied_weights_keys: ClassVar[dict[str, str]] = {
        one.replace(r"\.rope\.pos_embed", r"\.rope\."): other.replace(r"\.rope\.pos_embed", r"\.rope\.")
        for one, other in PeAudioVideoModel._tied_weights_keys.items()
    }


def _load(name: str, folder: Path) -> Any:
    remedy = f"clapboard weights verify {name}"
    try:
        model, report = _Model.from_pretrained(
            str(folder),
            config=_config(folder),
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
    except Exception as error:  # a configuration of something else fails wherever it is used first
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise BadInput(f"{folder} does not hold a PE-AV: {reason}", remedy=remedy) from error
    # transformers would go on with random weights in the place of missing ones.
    if lacking := sorted(map(str, [*report["missing_keys"], *report["mismatched_keys"]])):
        raise BadInput(f"{folder} lacks weights: {lacking[0]}", remedy=remedy)
    return model


def _config(folder: Path) -> Any:
    """The folder's configuration, with the frame encoder's width as the weights have it.

    transformers 5.23 saves that width of timm's configuration as `num_classes`, and reads 2 where it stands inside of
    another configuration.
    """
    settings, _ = PeAudioVideoConfig.get_config_dict(str(folder), local_files_only=True)
    if settings.get("model_type") != PeAudioVideoConfig.model_type:
        raise ValueError(f"its configuration is of {settings.get('model_type') or 'no model'}")
    config = PeAudioVideoConfig.from_dict(settings)
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as tensors:
            for key in tensors.keys():  # noqa: SIM118 - it is no mapping
                if key.endswith("video_encoder.embedder.proj.weight"):
                    width = tensors.get_slice(key).get_shape()[1]
                    config.audio_video_config.video_config.vision_config.num_labels = width
    return config
