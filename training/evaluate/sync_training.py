"""Train the AVSync classifier, which RelSync and AlignSync ask, on videos of one's own.

As the predecessor does [pred]: of a stretch of six seconds, 21 windows of 2 s begin 0.2 s apart; all 21 x 21 pairs of
their pictures and sounds are scored, and a symmetric cross-entropy (temperature 0.1) wants each with its own. Only time
tells them apart. Ours are the averaged weights, the falling rate, and the norms' statistics, which are taken anew with
the averaged weights at the end [ours].
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from shards.errors import BadInput
from training.evaluate.benchmarks import Source
from training.evaluate.films import ClipFormat, EvaluatedClip
from training.evaluate.metrics.sync_classifier import FPS, FRAMES, PARTS, RATE_HZ, SIDE_PX, mel, pixels
from training.evaluate.metrics.sync_network import SyncNetwork
from training.pretrain.resumed import Schedule, fit
from training.progress import Progress
from training.seeds import numpy_generator

READ_FPS = 30
"""A whole number of frames lies between two windows, and between two frames of one."""

_WEIGHTS = "model.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncTraining:
    """How the classifier is trained.

    Attributes:
        steps: a video each.
        shifts, shift_s: windows of a stretch, and how far apart they begin: whole frames of `READ_FPS`.
        temperature: of the cross-entropy.
        lr: the highest rate.
        side_px: height and width of the frames.
        seed: weights and order.
        save_every: steps between checkpoints.
    """

    steps: int = 20_000
    shifts: int = 21
    shift_s: float = 0.2
    temperature: float = 0.1
    lr: float = 1e-4
    side_px: int = SIDE_PX
    seed: int = 0
    save_every: int = 250

    @property
    def stretch(self) -> ClipFormat:
        """What is read of a video: three stretches, from its head to its tail."""
        frames = round(READ_FPS * (FRAMES / FPS + (self.shifts - 1) * self.shift_s))
        return ClipFormat(frames=frames, fps=READ_FPS, size_px=(self.side_px, self.side_px), rate_hz=RATE_HZ)


def train_classifier(
    sources: Sequence[Source],
    out: Path,
    settings: SyncTraining,
    *,
    device: str = "cpu",
    progress: Progress | None = None,
) -> list[float]:
    """Train, and write the three parts to `out` as `--weights relsync=OUT` reads them; returns the loss of each step.

    A stopped run goes on from `OUT/checkpoints`.

    Raises:
        BadInput: there is no video, or one that cannot be read.
    """
    if not sources:
        raise BadInput("there is no video to learn from", remedy="name a folder of videos of six seconds and more")
    torch.manual_seed(settings.seed)
    network = SyncNetwork().to(device)

    def loss_of(step: int) -> Tensor:
        order = numpy_generator(settings.seed, "sync", step // len(sources)).permutation(len(sources))
        stretches = sources[order[step % len(sources)]].clips(settings.stretch)
        _check_length(stretches, settings)
        chosen = int(numpy_generator(settings.seed, "stretch", step).integers(len(stretches)))
        return sync_loss(network, *windows(stretches[chosen], settings), temperature=settings.temperature)

    schedule = Schedule(settings.steps, settings.lr, min(1000, settings.steps // 10), 0.999, settings.save_every)
    losses = fit(network.requires_grad_(True), loss_of, schedule, checkpoints=out / "checkpoints", progress=progress)
    _measure_norms(network, sources, settings)
    for part in PARTS:
        (out / part).mkdir(parents=True, exist_ok=True)
        weights = {name: tensor.cpu().contiguous() for name, tensor in network.get_submodule(part).state_dict().items()}
        save_file(weights, out / part / _WEIGHTS)
    return losses


def windows(stretch: EvaluatedClip, settings: SyncTraining) -> tuple[Tensor, Tensor]:
    """(shifts, 1, 128, 204) spectrograms and (shifts, 3, 12, side, side) frames of a stretch's windows."""
    every, seconds = READ_FPS // FPS, FRAMES / FPS
    banks, frames = [], []
    for number in range(settings.shifts):
        start_s = number * settings.shift_s
        first, sample = round(start_s * READ_FPS), round(start_s * stretch.rate_hz)
        shown = stretch.frames[first : first + FRAMES * every : every]
        heard = stretch.waveform[sample : sample + round(seconds * stretch.rate_hz)]
        banks.append(mel(replace(stretch, waveform=heard)))
        frames.append(pixels(shown, settings.side_px))
    return torch.stack(banks), torch.stack(frames)


def sync_loss(network: SyncNetwork, banks: Tensor, frames: Tensor, *, temperature: float) -> Tensor:
    """Symmetric cross-entropy over the scores of all pairs of windows; log(shifts) is knowing nothing."""
    device = next(network.parameters()).device
    sounds, pictures = network.audio_encoder(banks.to(device)), network.video_encoder(frames.to(device))
    count = len(sounds)
    both = torch.cat([sounds.repeat_interleave(count, dim=0), pictures.repeat(count, 1)], dim=1)
    scores = network.head(both).view(count, count) / temperature
    own = torch.arange(count, device=device)
    return (functional.cross_entropy(scores, own) + functional.cross_entropy(scores.T, own)) / 2


def _check_length(stretches: Sequence[EvaluatedClip], settings: SyncTraining) -> None:
    """A video that ends within its only stretch shows its last frame, and is silent, from there on."""
    first, tail = stretches[0], round(settings.shift_s * RATE_HZ)
    if len(stretches) == 1 and settings.shifts > 1 and not first.waveform[-tail:].any():
        raise BadInput(
            f"{first.video_id} is shorter than {settings.stretch.duration_s:g} s, or ends in silence",
            remedy="leave it out, or ask for fewer windows: --shifts",
        )


@torch.no_grad()
def _measure_norms(network: SyncNetwork, sources: Sequence[Source], settings: SyncTraining, *, most: int = 64) -> None:
    """Take the norms' statistics anew: those of training are of other weights than the averaged ones."""
    norms = [one for one in network.modules() if isinstance(one, nn.BatchNorm2d | nn.BatchNorm3d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    network.train()
    for source in sources[:: math.ceil(len(sources) / most)]:
        sync_loss(network, *windows(source.clips(settings.stretch)[0], settings), temperature=settings.temperature)
    network.eval()
