"""Does the model hear? The loss with the true sound, against no sound, a shifted sound and another clip's sound.

At fixed times and fixed noise, so that nothing but the sound differs. A model that uses synchrony has a lower loss
with the true sound than with the same sound half a second off [ours].
"""

import math
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from training.adapter import AudioAdapter
from training.backbones.base import Backbone
from training.data import Batch, ClipSet, Example, moved, stacked
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
        shift_gap_error: standard error of the gap over clips.
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
    adapter: AudioAdapter,
    backbone: Backbone,
    clips: ClipSet,
    *,
    count: int,
    device: str = "cpu",
    motion_weight: float = 0.0,
) -> SyncProbe:
    """Probe at most `count` windows, spread evenly over `clips`; one window's noise is the same in every comparison."""
    size = min(count, len(clips))
    numbers = tuple(place * len(clips) // size for place in range(size))
    examples = [clips.example(number) for number in numbers]
    features = stacked([one.features for one in examples])
    hops = {row.key: row.hop_s for row in adapter.config.rows}
    sounds: list[dict[str, Tensor] | None] = [features, None, rolled_clips(features)]
    sounds += [shifted_sound(features, hops, shift_s) for shift_s in SHIFTS_S]
    totals = [torch.zeros(size) for _ in sounds]
    for time in TIMES:
        batch = moved(_batch(examples, numbers, time), device)
        for total, sound in zip(totals, sounds, strict=True):
            total += _losses(adapter, backbone, batch, sound, motion_weight) / len(TIMES)
    matched, silent, swapped, *moved_on = totals
    shifted = torch.stack(moved_on).mean(dim=0)
    gaps = shifted - matched
    error = float(gaps.std() / math.sqrt(size)) if size > 1 else math.inf
    return SyncProbe(
        matched=float(matched.mean()),
        shifted=float(shifted.mean()),
        swapped=float(swapped.mean()),
        silent=float(silent.mean()),
        shift_gap=float(gaps.mean()),
        shift_gap_error=error,
        clips=size,
    )


def shifted_sound(features: dict[str, Tensor], hops_s: dict[str, float], shift_s: float) -> dict[str, Tensor]:
    """Features moved along time, wrapping around."""
    return {key: torch.roll(rows, round(shift_s / hops_s[key]), dims=1) for key, rows in features.items()}


def rolled_clips(features: dict[str, Tensor]) -> dict[str, Tensor]:
    """Features of the clip half the batch away: another source video wherever there are two."""
    return {key: torch.roll(rows, max(len(rows) // 2, 1), dims=0) for key, rows in features.items()}


def _batch(examples: list[Example], numbers: tuple[int, ...], time: float) -> Batch:
    """The windows at one time; the noise of a window depends on its number alone."""
    shape = examples[0].latents.shape
    return Batch(
        latents=torch.stack([one.latents for one in examples]),
        noise=torch.stack([torch.randn(shape, generator=torch_generator(_SEED, "probe", n)) for n in numbers]),
        time=torch.full((len(examples),), time),
        features=stacked([one.features for one in examples]),
        text=torch.stack([one.text for one in examples]),
        heard=torch.ones(len(examples), dtype=torch.bool),
        numbers=numbers,
    )


def _losses(
    adapter: AudioAdapter, backbone: Backbone, batch: Batch, sound: dict[str, Tensor] | None, motion_weight: float
) -> Tensor:
    from training.objective import flow_loss

    if sound is None:
        return flow_loss(backbone, batch, motion_weight=motion_weight).cpu()
    device = str(batch.latents.device)
    with (
        adapter.attached(backbone.modules_by_site()),
        adapter.hearing({key: rows.to(device) for key, rows in sound.items()}),
    ):
        return flow_loss(backbone, batch, motion_weight=motion_weight).cpu()
