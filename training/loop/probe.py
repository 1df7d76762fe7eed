"""Does the model hear? The loss with the true sound, against no sound, a shifted sound and another clip's sound.

At fixed times and fixed noise, so that nothing but the sound differs. A model that uses synchrony has a lower loss
with the true sound than with the same sound half a second off [ours].
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from training.adapter.layer import AudioAdapter
from training.backbones.base import Backbone
from training.data.batches import Batch, padded, stacked
from training.data.clips import ClipSet, Example
from training.loop.objective import noise_loss
from training.parallel import ALONE, World
from training.seeds import torch_generator

TIMES = (0.5, 0.7, 0.85, 0.95)
SHIFTS_S = (-0.5, 0.5, 1.0)
_SEED = 20_000


@dataclass(frozen=True, slots=True)
class SyncProbe:
    """Mean losses over clips and times.

    Attributes:
        matched: with the true sound.
        shifted: with the true sound moved, wrapping around, by each of `SHIFTS_S`.
        swapped: with another clip's sound.
        silent: without the adapter, that is the backbone alone.
        shift_gap: shifted - matched; above 0 the model uses when things sound.
        shift_gap_error: standard error of the gap over source videos, whose windows overlap and are no two witnesses.
        clips: how many windows were looked at.
    """

    matched: float
    shifted: float
    swapped: float
    silent: float
    shift_gap: float
    shift_gap_error: float
    clips: int

    def to_json(self) -> dict[str, float]:
        """The probe as plain numbers."""
        return asdict(self)


@torch.no_grad()
def sync_probe(
    adapter: AudioAdapter, backbone: Backbone, clips: ClipSet, *, count: int, world: World = ALONE, batch: int = 8
) -> SyncProbe:
    """Probe at most `count` windows, spread evenly over `clips`; one window's noise is the same in every comparison.

    Args:
        adapter, backbone: what is probed.
        clips: held out.
        count: how many windows at most.
        world: ranks that share them.
        batch: windows at once.
    """
    size = min(count, len(clips))
    mine = world.share(size)
    losses = torch.cat(
        [_losses(adapter, backbone, clips, mine[n : n + batch], size, world) for n in range(0, len(mine), batch)]
    )
    # What was computed twice to give every rank equally much stands at the end.
    matched, silent, swapped, shifted = world.gathered(losses)[:size].T
    gaps = shifted - matched
    videos = [clips.entries[place * len(clips) // size].video_id for place in range(size)]
    return SyncProbe(
        matched=float(matched.mean()),
        shifted=float(shifted.mean()),
        swapped=float(swapped.mean()),
        silent=float(silent.mean()),
        shift_gap=float(gaps.mean()),
        shift_gap_error=clustered_error(gaps.tolist(), videos),
        clips=size,
    )


def _losses(
    adapter: AudioAdapter, backbone: Backbone, clips: ClipSet, places: list[int], size: int, world: World
) -> Tensor:
    """(windows, 4): with the true sound, none, another clip's, the true one moved; means over times (and shifts)."""
    numbers = [place * len(clips) // size for place in places]
    # Half the set away: another source video wherever there are two.
    others = [(place + max(size // 2, 1)) % size * len(clips) // size for place in places]
    examples = [clips.example(number) for number in numbers]
    features = stacked([one.features for one in examples])
    hops = {row.key: row.hop_s for row in adapter.config.rows}
    sounds: list[dict[str, Tensor] | None] = [features, None, stacked([clips.example(n).features for n in others])]
    sounds += [shifted_sound(features, hops, shift_s) for shift_s in SHIFTS_S]
    totals = torch.zeros(len(sounds), len(numbers), device=world.device)
    for time in TIMES:
        batch = _batch(examples, numbers, time, backbone).to(world.device)
        for total, sound in zip(totals, sounds, strict=True):
            total += _loss(adapter, backbone, batch, sound) / len(TIMES)
    return torch.cat([totals[:3], totals[3:].mean(dim=0, keepdim=True)]).T


def clustered_error(values: Sequence[float], groups: Sequence[str]) -> float:
    """Standard error of the mean of values that come in groups (Liang and Zeger 1986); infinite for one group."""
    mean, count = sum(values) / len(values), len(set(groups))
    if count < 2:
        return math.inf
    sums: dict[str, float] = defaultdict(float)
    for value, group in zip(values, groups, strict=True):
        sums[group] += value - mean
    return math.sqrt(sum(total**2 for total in sums.values()) * count / (count - 1)) / len(values)


def shifted_sound(features: dict[str, Tensor], hops_s: dict[str, float], shift_s: float) -> dict[str, Tensor]:
    """Features moved along time, wrapping around."""
    return {key: torch.roll(rows, round(shift_s / hops_s[key]), dims=1) for key, rows in features.items()}


def _batch(examples: list[Example], numbers: list[int], time: float, backbone: Backbone) -> Batch:
    """The windows at one time; the noise of a window depends on its number alone."""
    shape, count = examples[0].latents.shape, len(examples)
    return Batch(
        latents=torch.stack([one.latents for one in examples]),
        noise=torch.stack([torch.randn(shape, generator=torch_generator(_SEED, "probe", n)) for n in numbers]),
        time=torch.full((count,), time),
        features=stacked([one.features for one in examples]),
        text=torch.stack([padded(one.text, backbone.text_tokens) for one in examples]),
        audio_mask=torch.ones(count, dtype=torch.bool),
        image_mask=torch.ones(count, dtype=torch.bool),
        numbers=tuple(numbers),
        image=stacked([one.image for one in examples]),
    )


def _loss(adapter: AudioAdapter, backbone: Backbone, batch: Batch, sound: dict[str, Tensor] | None) -> Tensor:
    if sound is None:
        return noise_loss(backbone, batch)
    device = batch.latents.device
    with (
        adapter.attached(backbone.network),
        adapter.conditioned({key: rows.to(device) for key, rows in sound.items()}),
    ):
        return noise_loss(backbone, batch)
