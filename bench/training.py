"""What `bench train` measures: a generator at random weights with its adapter, and what feeds it."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bench.drawn import drawn_snapshot
from shards.schema import Record
from shards.snapshot import open_snapshot
from training.adapter.config import AdapterConfig
from training.backbones import Backbone, open_backbone, shape_of
from training.cache.build import build_cache, live_clips
from training.cache.encoding import parts_of
from training.data.batches import Batch, Draw
from training.data.clips import ClipSet
from training.data.entries import Entry
from training.data.feed import Feed
from training.data.plan import Shuffled
from training.loop.blocks import compile_blocks, use_checkpointing
from training.loop.objective import noise_loss
from training.loop.step import make_optimiser, take_step
from training.parallel import World
from training.settings.config import TrainConfig, WindowConfig
from training.stages.fitting import fresh_adapter

FILMS, SECONDS = 16, 3.0
Step = Callable[[int], None]


class Subject:
    """A generator on a device as `config` wants it, its fresh adapter, and one batch in memory."""

    def __init__(self, config: TrainConfig, device: str) -> None:
        self.config, self.world = config, World(0, 1, device)
        self.backbone = at_random(config, device)
        self.adapter = fresh_adapter(config, shape_of(self.backbone)).to(device)
        use_checkpointing(self.backbone.network, config.checkpointing)
        if config.compile:
            compile_blocks(self.backbone.network)
        self._optimiser = make_optimiser(self.adapter, config)
        self._batch = random_batch(self.adapter.config, self.backbone, config.batch)
        self._leaf = nn.Parameter(torch.zeros((), device=device))

    @property
    def resident_bytes(self) -> int:
        """Weights and what the optimiser keeps of them: what is on the device between two steps."""
        kept: list[Tensor] = [*self.backbone.network.parameters(), *self.adapter.parameters()]
        kept += [one for state in self._optimiser.state.values() for one in state.values() if torch.is_tensor(one)]
        return sum(one.nbytes for one in kept)

    def train(self, step: int) -> None:
        """A step as the loop takes it, on the batch in memory (pinned, copied to the device in every step)."""
        self.on(self._batch, step)

    def on(self, batch: Batch, step: int) -> None:
        """A step on another batch."""
        with self.adapter.attached(self.backbone.network):
            take_step(self.adapter, self.backbone, batch, self.config, self._optimiser, step=step, world=self.world)

    def bare(self, step: int) -> None:  # noqa: ARG002 (every step is alike)
        """Forward, and backward as far as training goes: autograd begins at the first site, with nothing added."""
        first = self.backbone.network.get_submodule(self.adapter.config.sites[0].name)
        handle = first.register_forward_hook(lambda _module, _given, made: made + self._leaf.to(made.dtype))
        try:
            loss = noise_loss(self.backbone, self._batch.to(self.world.device))
            loss.mean().backward()  # type: ignore[no-untyped-call]
        finally:
            handle.remove()


class Fed:
    """A subject fed by the loop's own loaders; `waited_s` is how long each step waited for its batch."""

    def __init__(self, subject: Subject, clips: ClipSet) -> None:
        self._subject, self.waited_s = subject, list[float]()
        config = subject.config
        self._feed = Feed(clips, _draw(subject, clips), subject.world, batch=config.batch, ahead=config.loaders)

    def train(self, step: int) -> None:
        """A step on the next batch."""
        batch, waited_s = self._feed.take(step)
        self._subject.on(batch, step)
        self.waited_s.append(waited_s)

    def close(self) -> None:
        """End the loaders."""
        self._feed.__exit__(None, None, None)


class Noise:
    """A part of a cache that is random numbers of the true shapes: reading it costs what reading real ones does."""

    def __init__(self, name: str, shapes: Mapping[str, Sequence[int]], shared: Mapping[str, Sequence[int]]) -> None:
        self.name, self._shapes, self._shared = name, shapes, shared
        self.version = f"noise {sorted(shapes.items())} {sorted(shared.items())}"
        self.bytes_per_window = 0

    def encode(self, record: Record, windows: Sequence[Entry]) -> list[dict[str, Tensor]]:  # noqa: ARG002
        """Random tensors, float16."""
        return [_noise(self._shapes) for _ in windows]

    def shared(self) -> dict[str, Tensor]:
        """Random tensors that all windows share."""
        return _noise(self._shared)

    def release(self) -> None:
        """There is nothing to forget."""


def cached(subject: Subject, folder: Path) -> Fed:
    """The subject fed from a cache of random numbers."""
    snapshot = _snapshot(folder)
    backbone, config = subject.backbone, subject.adapter.config
    features = {row.key: (row.columns, row.tokens, row.width) for row in config.rows}
    words = (min(backbone.text_tokens, 64), backbone.text_width)
    parts = [
        Noise("latents", {"latents": backbone.latent_shape, "spread": backbone.latent_shape}, {}),
        Noise("words", {"text": words}, {"no_text": words}),
        Noise("sound", features, {}),
    ]
    report = build_cache(snapshot, parts, WindowConfig(), duration_s=backbone.video.duration_s, root=folder / "cache")
    return Fed(subject, report.clips)


def live(subject: Subject, folder: Path) -> Fed:
    """The subject fed with clips that are decoded and encoded in every step."""
    parts = parts_of(subject.config, subject.backbone, device=subject.world.device)
    clips = live_clips(_snapshot(folder), parts, WindowConfig(), duration_s=subject.backbone.video.duration_s)
    return Fed(subject, clips)


@dataclass(frozen=True, slots=True)
class Way:
    """One way to take a step, and the subject whose weights it takes up room with."""

    subject: Subject
    step: Step


@dataclass
class Measured:
    """What was measured of one way.

    Attributes:
        seconds: a step, one figure a turn.
        first_s: the very first step, compilation included.
        peak_bytes: the most that its own weights, activations and gradients took up on a GPU; 0 on a processor.
    """

    seconds: list[float] = field(default_factory=list)
    first_s: float = 0.0
    peak_bytes: int = 0


def compare(ways: Mapping[str, Way], *, warm: int, steps: int, turns: int, device: str) -> dict[str, Measured]:
    """Measure every way; they take turns, so that a slow spell meets all of them."""
    found = {name: Measured() for name in ways}
    for name, way in ways.items():
        found[name].first_s = _seconds(way, range(1), device)
        _seconds(way, range(1, warm), device)
    for turn in range(turns):
        first = warm + turn * steps
        for name, way in ways.items():
            before = _reset_peak(device)
            found[name].seconds.append(_seconds(way, range(first, first + steps), device) / steps)
            if device.startswith("cuda"):
                peak = torch.cuda.max_memory_allocated(device) - before + way.subject.resident_bytes
                found[name].peak_bytes = max(found[name].peak_bytes, peak)
    return found


def _seconds(way: Way, steps: range, device: str) -> float:
    _settled(device)
    begun = time.perf_counter()
    for step in steps:
        way.step(step)
    _settled(device)
    return time.perf_counter() - begun


def middle_ratio(ones: Sequence[float], others: Sequence[float]) -> float:
    """The median over turns of one figure against another."""
    return statistics.median(one / other for one, other in zip(ones, others, strict=True))


def at_random(config: TrainConfig, device: str) -> Backbone:
    """A backbone with random weights, in the precision of the device; published weights are not needed."""
    backbone = open_backbone(config.backbone, config.options(device))
    kind = torch.bfloat16 if config.half(device) and config.backbone != "tiny" else torch.float32
    before = torch.get_default_dtype()
    torch.set_default_dtype(kind)
    try:
        with torch.device(device):
            made = backbone.blank()
    finally:
        torch.set_default_dtype(before)
    made.to(device)
    return made


def random_batch(config: AdapterConfig, backbone: Backbone, clips: int) -> Batch:
    """A batch of noise, all of it heard and given; in pinned memory where there is a GPU."""
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return torch.randn(clips, *shape, generator=generator)

    batch = Batch(
        latents=random(*backbone.latent_shape),
        noise=random(*backbone.latent_shape),
        time=torch.full((clips,), 0.7),
        features={row.key: random(row.columns, row.tokens, row.width) for row in config.rows},
        text=random(backbone.text_tokens, backbone.text_width),
        audio_mask=torch.ones(clips, dtype=torch.bool),
        image_mask=torch.ones(clips, dtype=torch.bool),
        numbers=tuple(range(clips)),
    )
    return batch.pinned() if torch.cuda.is_available() else batch


def _draw(subject: Subject, clips: ClipSet) -> Draw:
    backbone = subject.backbone
    return Draw(Shuffled(len(clips), 0, "bench"), 0, "bench", backbone.time_of, backbone.text_tokens, from_spread=True)


def _snapshot(folder: Path) -> Any:
    if not (folder / "snapshots").is_dir():
        drawn_snapshot(folder / "snapshots", "drawn", films=FILMS, seconds=SECONDS, seed=0)
    return open_snapshot(folder / "snapshots", "drawn")


def _noise(shapes: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
    return {name: torch.randn(*shape).half() for name, shape in shapes.items()}


def _settled(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def _reset_peak(device: str) -> int:
    """What lies on the device now."""
    if not device.startswith("cuda"):
        return 0
    torch.cuda.reset_peak_memory_stats(device)
    return torch.cuda.memory_allocated(device)
