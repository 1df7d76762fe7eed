"""The denoising loop: the backbone's own steps from noise to data, guided by words and sound.

    noise_pred = uncond + g (cond - uncond) + s (audio - cond)

`cond` sees the words, `uncond` the empty or negative ones, `audio` the words and the sound; the first two are the
frozen backbone itself, without the adapter: guidance by sound needs no trained null sound, and s = 0 is the backbone
(as Syncphony's audio-sync guidance). The predecessor's audio guidance is 4 [pred]; ours is lower since a small adapter
overshoots [ours]. With g = 1 `uncond` needs no pass of its own.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from shards.files import write_atomic
from shards.reader import ClipReader
from shards.snapshot import Snapshot
from training.adapter.layer import AudioAdapter
from training.animate.segments import Carried
from training.animate.settings import SampleSettings
from training.animate.walks import walk_of
from training.backbones import Backbone
from training.data.batches import padded
from training.data.clips import ClipSet
from training.data.mux import read_track, write_video
from training.parallel import ALONE, World
from training.progress import Progress
from training.seeds import torch_generator

LEAST_HEIGHT_PX = 256


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
    carried: Carried | None = None,
    progress: Progress | None = None,
) -> Tensor:
    """Latents (clips, channels, latents, h, w) that follow `features`.

    They start with `first` (clips, channels, 1, h, w), or with what `image` shows (`Backbone.encode_condition`).
    Without `first` they come from words and sound alone. Unless `noise` is given, clip n's depends on (seed, n) alone;
    `times` from noise to data are the backbone's own unless they are given. Where frames are `carried` over from an
    earlier segment, they are mixed in at each step.
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
    walk = walk_of(backbone, settings.scheduler, steps=settings.num_inference_steps, times=times)
    steps = len(walk.times) - 1
    with adapter.attached(backbone.network):
        for number, (now, then) in enumerate(pairwise(walk.times)):
            time = torch.full((clips,), now, device=device)
            cond = noise_pred = backbone.denoise(latents, time, text, image_mask, image)
            if guidance_scale != 1.0 and no_text is not None:
                uncond = backbone.denoise(latents, time, no_text, image_mask, image)
                noise_pred = uncond + guidance_scale * (cond - uncond)
            if settings.audio_guidance_scale:
                with adapter.conditioned(features):
                    audio = backbone.denoise(latents, time, text, image_mask, image)
                noise_pred = noise_pred + settings.audio_guidance_scale * (audio - cond)
            latents = walk.step(latents, noise_pred, number)
            if carried is not None:
                known = carried.latents.to(latents)
                if number + 1 < steps:
                    at = torch.full((clips,), then, device=device)
                    known = backbone.noise(known, noise[:, :, : known.shape[2]].to(latents), at, image_mask)
                latents = carried.mixed(latents, known)
            if kept is not None:
                latents[:, :, :1] = kept
            if progress is not None:
                progress(number + 1, steps, "")
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
        frames, fps = backbone.decode_video(latents[0].cpu(), one.image), backbone.video.fps
        track = read_track(sound).between(entry.start_us / 1e6, len(frames) / fps)
        write_video(path, [frames], fps=fps, track=track, height_px=LEAST_HEIGHT_PX)
        sound.unlink()
    reader.close()
    backbone.release_codec()
    world.wait()
    return {f"sample {place}": folder / f"{clips.entries[number].key}.mp4" for place, number in enumerate(numbers)}
