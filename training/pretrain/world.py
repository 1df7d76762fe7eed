"""From nothing to the weights that come with the package: films, codec, latents, generator; every part resumes."""

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from shards.files import write_atomic
from training.backbones.drawn import ARCHITECTURE, VIDEO, DrawnBackbone
from training.backbones.drawn_codec import DrawnCodec
from training.backbones.folder import pixels_of
from training.backbones.words import WORDS, word_rows
from training.data.batches import Draw, batch_of
from training.data.clips import Example
from training.data.plan import Shuffled
from training.loop.objective import noise_loss
from training.pretrain.codec import codec_loss, set_statistics
from training.pretrain.films import WINDOWS, DrawnFilms, draw_films, window_start
from training.pretrain.resumed import Schedule, fit
from training.pretrain.settings import CodecSettings, PretrainSettings
from training.progress import Progress
from training.world.catalogue import Split

PartProgress = Callable[[str, int, int, str], None]
"""`Progress`, with the name of the part before it."""

NOTES = "pretraining.json"
_LATENTS = "latents.safetensors"
_SAVE_EVERY = 250


@dataclass(frozen=True)
class DrawnExamples:
    """Windows of films as the generator sees them: latents and words, no sound.

    Attributes:
        codec: scales the latents.
        latents: (films, frames, channels, h', w') as its `encode` gave them.
        films: their words.
    """

    codec: DrawnCodec
    latents: Tensor
    films: DrawnFilms

    def __len__(self) -> int:
        return len(self.latents) * WINDOWS

    def example(self, number: int) -> Example:
        """One window."""
        film, window = divmod(number, WINDOWS)
        start = window_start(window)
        rows = self.codec.normalised(self.latents[film, start : start + VIDEO.frames].float())
        return Example(rows, None, {}, word_rows(self.films.caption(film)), self._no_text)

    @cached_property
    def _no_text(self) -> Tensor:
        return word_rows("")


def pretrain_world(
    out: Path,
    *,
    work: Path,
    settings: PretrainSettings | None = None,
    device: str = "cpu",
    workers: int = 1,
    progress: PartProgress | None = None,
) -> Path:
    """Train codec and generator on drawn films and write them to `out` in diffusers' layout.

    Args:
        out: the folder: `vae/`, `transformer/`, `pretraining.json`.
        work: films, latents and checkpoints; with the same settings, a run goes on where it was stopped.
        settings: everything that decides the weights.
        device: where the networks are trained.
        workers: processes that draw films.
        progress: told how far each part is.

    Returns:
        `out`.
    """
    settings = settings or PretrainSettings()
    films = draw_films(
        work / "films", settings.codec.drawn, split=Split.TRAIN, workers=workers, progress=_of(progress, "films")
    )
    codec, codec_losses = _codec(work, films, settings.codec, device, progress)
    latents = _latents(work / f"codec-{settings.codec.digest()}" / _LATENTS, codec, films, device)
    backbone, losses = _generator(work, DrawnExamples(codec, latents, films), settings, device, progress)
    painter_losses = _painter(work, codec, films, settings.codec, device, progress)
    codec.save_pretrained(out / "vae")
    network: Any = backbone.network
    # Half precision for the package's sake; whoever loads it names the precision to compute in.
    network.to("cpu").half().save_pretrained(out / "transformer")
    curves = {"codec": codec_losses, "painter": painter_losses, "generator": losses}
    notes = {"settings": settings.model_dump(), "losses": {part: _thin(curve) for part, curve in curves.items()}}
    write_atomic(out / NOTES, json.dumps(notes, indent=1).encode())
    return out


def _codec(
    work: Path, films: DrawnFilms, settings: CodecSettings, device: str, progress: PartProgress | None
) -> tuple[DrawnCodec, list[float]]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        codec: Any = DrawnCodec()
    codec.to(device, memory_format=torch.channels_last)
    schedule = Schedule(settings.steps, settings.lr, settings.warmup_steps, settings.ema, _SAVE_EVERY)
    losses = fit(
        codec.requires_grad_(True),
        lambda step: codec_loss(codec, films, settings, step, noise=settings.noise),
        schedule,
        checkpoints=work / f"codec-{settings.digest()}",
        progress=_of(progress, "codec"),
    )
    return codec, losses


def _painter(
    work: Path,
    codec: Any,
    films: DrawnFilms,
    settings: CodecSettings,
    device: str,
    progress: PartProgress | None,
) -> list[float]:
    """Let the decoder learn on; the encoder, and with it all that the generator knows, stays what it is."""
    codec.to(device, memory_format=torch.channels_last).requires_grad_(True)
    codec.encoder.requires_grad_(False)
    codec.to_latents.requires_grad_(False)
    schedule = Schedule(settings.painter_steps, settings.painter_lr, settings.warmup_steps, settings.ema, _SAVE_EVERY)
    losses = fit(
        codec,
        lambda step: codec_loss(codec, films, settings, settings.steps + step, noise=settings.painter_noise),
        schedule,
        checkpoints=work / f"painter-{settings.digest()}",
        progress=_of(progress, "painter"),
    )
    codec.to("cpu", memory_format=torch.contiguous_format)
    return losses


@torch.no_grad()
def _latents(path: Path, codec: DrawnCodec, films: DrawnFilms, device: str) -> Tensor:
    """(films, frames, channels, h', w') of all films, encoded once; sets the codec's statistics."""
    if path.is_file():
        latents: Tensor = safetensors.torch.load_file(path)["latents"]
    else:
        encoded = [
            codec.encode(pixels_of(films.frames(film)).transpose(0, 1).to(device)).cpu() for film in range(films.count)
        ]
        latents = torch.stack(encoded).contiguous()
        write_atomic(path, safetensors.torch.save({"latents": latents}))
    codec.to("cpu", memory_format=torch.contiguous_format)
    set_statistics(codec, latents)
    return latents


def _generator(
    work: Path, examples: DrawnExamples, settings: PretrainSettings, device: str, progress: PartProgress | None
) -> tuple[DrawnBackbone, list[float]]:
    from diffusers import WanTransformer3DModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = WanTransformer3DModel(**ARCHITECTURE)
    # It begins by saying that nothing changes.
    torch.nn.init.zeros_(network.proj_out.weight)
    backbone = DrawnBackbone()
    backbone.network = network.to(device)
    draw = Draw(
        plan=Shuffled(len(examples), settings.seed, "pretrain/order"),
        seed=settings.seed,
        purpose="pretrain",
        time_of=backbone.time_of,
        text_tokens=WORDS,
        no_text=settings.text_dropout,
    )

    def loss_of(step: int) -> Tensor:
        batch = batch_of(examples, draw, range(step * settings.batch, (step + 1) * settings.batch)).to(device)
        with warnings.catch_warnings(), torch.autocast(torch.device(device).type, torch.bfloat16):
            # Norms keep their weights in float32; that they are not fused costs little.
            warnings.filterwarnings("ignore", message="Mismatch dtype between input and weight")
            return noise_loss(backbone, batch).mean()

    schedule = Schedule(settings.steps, settings.lr, settings.warmup_steps, settings.ema, _SAVE_EVERY)
    checkpoints = work / f"generator-{settings.digest()}"
    losses = fit(
        network.requires_grad_(True), loss_of, schedule, checkpoints=checkpoints, progress=_of(progress, "generator")
    )
    return backbone, losses


def _of(progress: PartProgress | None, part: str) -> Progress | None:
    return None if progress is None else partial(progress, part)


def _thin(losses: list[float], *, most: int = 200) -> list[float]:
    """A curve of at most so many points, each the mean of its stretch."""
    each = -(-len(losses) // most)
    return [round(sum(part) / len(part), 5) for n in range(0, len(losses), each) if (part := losses[n : n + each])]
