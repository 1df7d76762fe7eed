"""From an image and a sound to a video: the backbone's own steps from noise to data, guided by words and sound.

    noise_pred = uncond + g (cond - uncond) + s (audio - cond)

`cond` sees the words, `uncond` the empty or negative ones, `audio` the words and the sound; the first two are the
frozen backbone itself, without the adapter: guidance by sound needs no trained null sound, and s = 0 is the backbone
(as Syncphony's audio-sync guidance). The predecessor's audio guidance is 4 [pred]; ours is lower since a small adapter
overshoots [ours]. With g = 1 `uncond` needs no pass of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from shards.errors import BadInput
from shards.files import write_atomic
from shards.reader import ClipReader
from shards.snapshot import Snapshot
from training.adapter.files import DESCRIPTION, SavedAdapter, load_adapter
from training.adapter.layer import AudioAdapter
from training.backbones import Backbone, BackboneOptions, open_backbone
from training.data.batches import padded
from training.data.clips import ClipSet
from training.data.media import fitted_sound, read_image, read_sound, write_video
from training.encoders import open_encoder
from training.parallel import ALONE, World, chosen_device
from training.seeds import torch_generator
from training.settings.config import EncoderConfig

LEAST_HEIGHT_PX = 256


@dataclass(frozen=True, slots=True)
class SampleSettings:
    """How to sample: steps, guidance s by sound (0: the backbone alone) and g by words (1: none beyond them), seed.

    None is what the backbone usually takes.
    """

    num_inference_steps: int | None = None
    audio_guidance_scale: float = 2.0
    guidance_scale: float | None = None
    seed: int = 0


def animate(
    run: Path,
    *,
    image: Path,
    sound: Path,
    out: Path,
    caption: str = "",
    settings: SampleSettings | None = None,
    device: str = "auto",
) -> Path:
    """Animate an image in time with a sound; returns `out`, an MP4 with that very sound.

    Args:
        run: a finished run's folder, or its adapter's.
        image: PNG or JPEG; its centre is used.
        sound: WAV, FLAC, MP3 or a video; its first seconds, as long as the backbone's videos, then silence.
        out: where the video goes.
        caption: what is in the image; the training captions' words help.
        settings: see `SampleSettings`.
        device: where all of it runs; "auto" takes a GPU where there is one.

    Raises:
        BadInput: image, sound or run cannot be used.
        TrainingError: the video could not be written.
    """
    saved = load_adapter(adapter_folder(run))
    device = chosen_device(device)
    backbone = backbone_of(saved, device=device)
    picture = read_image(image, size_px=backbone.size_px)
    features = sound_features(saved, sound, duration_s=backbone.video.duration_s, device=device)
    backbone.load_weights((adapter_folder(run) / str(saved.notes["weights"])).resolve())
    first, condition = backbone.encode_image(picture), backbone.encode_condition(picture)
    text, no_text = backbone.encode_text(caption), backbone.encode_text("")
    backbone.release_codec()
    backbone.to(device)
    latents = sample_latents(
        backbone,
        saved.adapter.to(device),
        first=first[None].to(device),
        text=padded(text, backbone.text_tokens)[None].to(device),
        no_text=padded(no_text, backbone.text_tokens)[None].to(device),
        features={key: rows.to(device) for key, rows in features.items()},
        image={name: tensor[None].to(device) for name, tensor in condition.items()},
        settings=settings or SampleSettings(),
    )
    frames = backbone.decode_video(latents[0].cpu())
    write_video(out, frames, fps=backbone.video.fps, sound=sound, height_px=LEAST_HEIGHT_PX)
    return out


@torch.no_grad()
def sample_latents(
    backbone: Backbone,
    adapter: AudioAdapter,
    *,
    first: Tensor | None,
    text: Tensor,
    features: dict[str, Tensor],
    settings: SampleSettings,
    no_text: Tensor | None = None,
    image: Mapping[str, Tensor] | None = None,
    noise: Tensor | None = None,
    times: Sequence[float] | None = None,
) -> Tensor:
    """Latents (clips, channels, latents, h, w) that follow `features`.

    They start with `first` (clips, channels, 1, h, w), or with what `image` shows (`Backbone.encode_condition`).
    Without `first` they come from words and sound alone. Unless `noise` is given, clip n's depends on (seed, n) alone;
    `times` from noise to data are the backbone's own unless they are given.
    """
    clips, device = len(text), text.device
    if noise is None:
        shape = backbone.latent_shape
        drawn = [torch.randn(shape, generator=torch_generator(settings.seed, "sample", n)) for n in range(clips)]
        noise = torch.stack(drawn)
    latents = noise.to(device, copy=True)
    kept = first if backbone.clean_first else None
    if kept is not None:
        latents[:, :, :1] = kept
    guidance_scale = backbone.usual_guidance if settings.guidance_scale is None else settings.guidance_scale
    image_mask = torch.full((clips,), first is not None, device=device)
    times = times or backbone.sampling_times(settings.num_inference_steps or backbone.usual_steps)
    with adapter.attached(backbone.network):
        for now, then in pairwise(times):
            time = torch.full((clips,), now, device=device)
            cond = noise_pred = backbone.denoise(latents, time, text, image_mask, image)
            if guidance_scale != 1.0 and no_text is not None:
                uncond = backbone.denoise(latents, time, no_text, image_mask, image)
                noise_pred = uncond + guidance_scale * (cond - uncond)
            if settings.audio_guidance_scale:
                with adapter.conditioned(features):
                    audio = backbone.denoise(latents, time, text, image_mask, image)
                noise_pred = noise_pred + settings.audio_guidance_scale * (audio - cond)
            latents = backbone.step(latents, noise_pred, now=now, then=then)
            if kept is not None:
                latents[:, :, :1] = kept
    return latents


def write_samples(
    adapter: AudioAdapter,
    backbone: Backbone,
    clips: ClipSet,
    snapshot: Snapshot,
    count: int,
    folder: Path,
    *,
    world: World = ALONE,
) -> dict[str, Path]:
    """Animate the first frames of some held-out windows with their own sound; returns name -> video, of all ranks.

    Ranks share the windows and make equally many passes, as a generator that is spread over them demands.
    """
    size = min(count, len(clips))
    numbers = [place * len(clips) // size for place in range(size)]
    reader, device, mine = ClipReader(snapshot), str(next(adapter.parameters()).device), world.share(size)
    for turn, place in enumerate(mine):
        entry, one = clips.entries[numbers[place]], clips.example(numbers[place])
        latents = sample_latents(
            backbone,
            adapter,
            first=one.latents[None, :, :1].to(device),
            text=padded(one.text, backbone.text_tokens)[None].to(device),
            no_text=padded(one.no_text, backbone.text_tokens)[None].to(device),
            features={key: rows[None].to(device) for key, rows in one.features.items()},
            image={name: tensor[None].to(device) for name, tensor in one.image.items()},
            settings=SampleSettings(seed=place),
        )
        if world.rank * len(mine) + turn > place:
            # The last window again, so that all ranks have equally many: another one writes it.
            continue
        sound, path = folder / f"{entry.key}.flac", folder / f"{entry.key}.mp4"
        write_atomic(sound, reader[entry.number].flac)
        frames, fps = backbone.decode_video(latents[0].cpu()), backbone.video.fps
        begin_s = entry.start_us / 1e6
        write_video(path, frames, fps=fps, sound=sound, height_px=LEAST_HEIGHT_PX, sound_start_s=begin_s)
        sound.unlink()
    reader.close()
    backbone.release_codec()
    world.wait()
    return {f"sample {place}": folder / f"{clips.entries[number].key}.mp4" for place, number in enumerate(numbers)}


def backbone_of(saved: SavedAdapter, *, device: str = "cpu") -> Backbone:
    """The backbone that an adapter was trained on, not yet loaded; in half precision on a GPU."""
    notes = saved.notes
    weights = notes.get("backbone_weights")
    options = BackboneOptions(
        weights=Path(weights) if weights else None,
        frames=saved.adapter.config.video.frames,
        size_px=tuple(notes["size_px"]) if "size_px" in notes else None,
        half=device != "cpu",
        device=device,
    )
    return open_backbone(str(notes["backbone"]), options)


def sound_features(saved: SavedAdapter, sound: Path, *, duration_s: float, device: str = "cpu") -> dict[str, Tensor]:
    """Rows "encoder/layer" -> (1, time, tokens, width) of a file's first `duration_s` seconds.

    Raises:
        Unavailable: an encoder's weights are not where they were in training.
    """
    waveform, rate_hz = read_sound(sound)
    window = fitted_sound(waveform, start=0, count=round(duration_s * rate_hz))
    features: dict[str, Tensor] = {}
    for config in encoders_of(saved):
        bank = open_encoder(config, device=device).encode(window, rate_hz)
        features |= {f"{config.name}/{layer}": rows[None] for layer, rows in bank.layers.items()}
    return features


def encoders_of(saved: SavedAdapter) -> list[EncoderConfig]:
    """The encoders that an adapter listens to."""
    kept = saved.notes.get("encoders")
    if kept is None:
        return [EncoderConfig(name=name) for name in dict.fromkeys(row.encoder for row in saved.adapter.config.rows)]
    return [EncoderConfig.model_validate(one) for one in kept]


def adapter_folder(run: Path) -> Path:
    """The adapter's folder of a run, or the folder itself where it is one.

    Raises:
        BadInput: neither.
    """
    for folder in (run, run / "adapter"):
        if (folder / DESCRIPTION).is_file():
            return folder
    raise BadInput(f"{run} holds no finished run and no adapter", remedy="train first: `clapboard train`")
