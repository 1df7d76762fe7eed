"""From an image and a sound to a video: Euler steps along the flow, guided by the sound.

    v = v_base + s (v_sound - v_base),     x_(t - dt) = x_t - dt v

`v_base` is the frozen backbone itself, without the adapter: guidance needs no trained null sound, and s = 0 is the
backbone (as Syncphony's audio-sync guidance). The predecessor's audio guidance is 4 [pred]; ours is lower since a small
adapter overshoots [ours].
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from shards.errors import BadInput
from training.adapter import AudioAdapter
from training.adapter_files import DESCRIPTION, load_adapter
from training.backbones import open_backbone
from training.backbones.base import Backbone
from training.data import shifted_time
from training.encoders import open_encoder
from training.media import fitted_sound, read_image, read_sound, write_video
from training.seeds import torch_generator

LEAST_HEIGHT_PX = 256


@dataclass(frozen=True, slots=True)
class SampleSettings:
    """How to sample: Euler steps, audio guidance (0 is the backbone alone), seed of the noise."""

    steps: int = 6
    guidance: float = 2.0
    seed: int = 0


def animate(
    run: Path,
    *,
    image: Path,
    sound: Path,
    out: Path,
    caption: str = "",
    settings: SampleSettings | None = None,
) -> Path:
    """Animate an image in time with a sound; returns `out`, an MP4 with that very sound.

    Args:
        run: a finished run's folder, or its adapter's.
        image: PNG or JPEG; its centre is used.
        sound: WAV, FLAC, MP3 or a video; its first seconds, as long as the backbone's videos, then silence.
        out: where the video goes.
        caption: what is in the image; the training captions' words help.
        settings: see `SampleSettings`.

    Raises:
        BadInput: image, sound or run cannot be used.
        TrainingError: the video could not be written.
    """
    saved = load_adapter(adapter_folder(run))
    backbone = open_backbone(str(saved.notes["backbone"]))
    picture = read_image(image, size_px=backbone.size_px)
    features = sound_features(saved.adapter, sound, duration_s=backbone.video.duration_s)
    backbone.load_weights((adapter_folder(run) / str(saved.notes["weights"])).resolve())
    latents = sample_latents(
        backbone,
        saved.adapter,
        first=backbone.encode_image(picture)[None],
        text=backbone.encode_text(caption)[None],
        features=features,
        settings=settings or SampleSettings(),
    )
    frames = backbone.decode_video(latents[0])
    write_video(out, frames, fps=backbone.video.fps, sound=sound, height_px=LEAST_HEIGHT_PX)
    return out


@torch.no_grad()
def sample_latents(
    backbone: Backbone,
    adapter: AudioAdapter,
    *,
    first: Tensor,
    text: Tensor,
    features: dict[str, Tensor],
    settings: SampleSettings,
) -> Tensor:
    """Latents (clips, channels, latents, h, w) that follow `features`.

    They start with `first` (clips, channels, 1, h, w). Clip n's noise depends on (seed, n) alone.
    """
    clips, channels, _, height, width = first.shape
    shape = (channels, backbone.video.latents, height, width)
    noise = [torch.randn(shape, generator=torch_generator(settings.seed, "sample", n)) for n in range(clips)]
    latents = torch.stack(noise).to(first.device)
    latents[:, :, :1] = first
    times = [shifted_time(1 - n / settings.steps, shift=backbone.time_shift) for n in range(settings.steps + 1)]
    with adapter.attached(backbone.modules_by_site()):
        for now, then in pairwise(times):
            time = torch.full((clips,), now, device=first.device)
            velocity = backbone.denoise(latents, time, text)
            if settings.guidance:
                with adapter.hearing(features):
                    heard = backbone.denoise(latents, time, text)
                velocity = velocity + settings.guidance * (heard - velocity)
            latents = latents - (now - then) * velocity
            latents[:, :, :1] = first
    return latents


def sound_features(adapter: AudioAdapter, sound: Path, *, duration_s: float) -> dict[str, Tensor]:
    """Rows "encoder/layer" -> (1, time, tokens, width) of a file's first `duration_s` seconds."""
    waveform, rate_hz = read_sound(sound)
    heard = fitted_sound(waveform, start=0, count=round(duration_s * rate_hz))
    features: dict[str, Tensor] = {}
    for name in dict.fromkeys(row.encoder for row in adapter.config.rows):
        bank = open_encoder(name).encode(heard, rate_hz)
        features |= {f"{name}/{layer}": rows[None] for layer, rows in bank.layers.items()}
    return features


def adapter_folder(run: Path) -> Path:
    """The adapter's folder of a run, or the folder itself where it is one.

    Raises:
        BadInput: neither.
    """
    for folder in (run, run / "adapter"):
        if (folder / DESCRIPTION).is_file():
            return folder
    raise BadInput(f"{run} holds no finished run and no adapter", remedy="train first: `clapboard train`")
