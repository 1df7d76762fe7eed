"""What a run does besides training: probes, sample videos, and counting what a step costs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from shards.snapshot import Snapshot
from training.adapter.layer import AudioAdapter
from training.animate.sample import write_samples
from training.backbones import Backbone
from training.data.clips import ClipSet
from training.loop.loop import Extras
from training.loop.probe import SyncProbe, sync_probe
from training.loop.profile import Meter, training_flops
from training.parallel import World
from training.settings.config import TrainConfig


def extras_of(
    config: TrainConfig,
    adapter: AudioAdapter,
    backbone: Backbone,
    held_out: ClipSet,
    *,
    snapshot: Snapshot,
    run_dir: Path,
    world: World,
    trackers: Sequence[Any],
) -> Extras:
    """Probe, samples and meter of a loop; samples only where they are asked for."""

    def probe(average: dict[str, Tensor]) -> SyncProbe:
        with with_weights(adapter, average):
            return sync_probe(adapter, backbone, held_out, count=config.probe_clips, world=world)

    def sample(step: int, average: dict[str, Tensor]) -> dict[str, Path]:
        folder = run_dir / "samples" / f"{step:06d}"
        with with_weights(adapter, average):
            return write_samples(adapter, backbone, held_out, snapshot, config.samples, folder, world=world)

    meter = Meter(training_flops(adapter, backbone)) if world.device.startswith("cuda") else Meter()
    return Extras(probe, sample if config.sample_every else None, meter, trackers)


@contextmanager
def with_weights(adapter: AudioAdapter, weights: dict[str, Tensor]) -> Iterator[None]:
    """An adapter with other weights until the block ends."""
    own = {name: weight.detach().clone() for name, weight in adapter.named_parameters()}
    adapter.load_state_dict(weights)
    try:
        yield
    finally:
        adapter.load_state_dict(own)
