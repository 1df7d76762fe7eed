"""What a step costs: floating-point operations counted on shapes alone, seconds, memory, and what share of a device's
arithmetic that is (MFU)."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from training.adapter.config import AdapterConfig
from training.adapter.layer import AudioAdapter
from training.backbones.base import Backbone
from training.data.batches import Batch
from training.loop.blocks import use_checkpointing
from training.loop.live import LiveBytes
from training.loop.objective import noise_loss
from training.settings.config import Checkpointing

if TYPE_CHECKING:
    from torch.utils.flop_counter import FlopCounterMode

DENSE_BF16_FLOPS = {"H100": 989.4e12, "H200": 989.4e12, "A100": 312e12, "L40": 362e12, "4090": 165e12, "B200": 2250e12}
"""Dense bf16 operations a second, from the makers' data sheets, by a part of the device's name."""


def peak_flops(device: str) -> float | None:
    """A device's dense bf16 operations a second; None where that is not known."""
    known = known_device(device)
    return DENSE_BF16_FLOPS[known] if known else None


def known_device(device: str) -> str | None:
    """Which of `DENSE_BF16_FLOPS` a device is; None for one that is none of them, or no GPU."""
    if not device.startswith("cuda") or not torch.cuda.is_available():
        return None
    name = torch.cuda.get_device_name(device)
    return next((part for part in DENSE_BF16_FLOPS if part in name), None)


@dataclass(frozen=True, slots=True)
class StepCost:
    """What one clip costs in one step.

    Attributes:
        forward, backward: floating-point operations; what checkpointing computes again counts as backward.
        kept_bytes: what lives between the forward and the backward pass besides weights, in the step's precision.
    """

    forward: float
    backward: float
    kept_bytes: int

    @property
    def flops(self) -> float:
        """Forward and backward."""
        return self.forward + self.backward


def step_cost(
    config: AdapterConfig | None,
    backbone: Backbone,
    *,
    half: bool = True,
    checkpointing: Checkpointing = Checkpointing.NONE,
) -> StepCost:
    """Count a step of one clip on shapes alone, without weights or memory.

    Args:
        config: the adapter; None counts the generator alone, whose backward pass is then that to its input.
        backbone: the generator; nothing of it is loaded.
        half: whether the generator computes in bf16.
        checkpointing: what is computed again.
    """
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode(allow_non_fake_inputs=True), torch.random.fork_rng(devices=[]):
        twin = _blank(backbone, torch.bfloat16 if half else torch.float32)
        use_checkpointing(twin.network, checkpointing)
        batch, adapter = _blank_batch(config, twin), AudioAdapter(config) if config else None
        if adapter is None:
            batch.latents.requires_grad_()
        hearing = _attending(adapter, twin, batch) if adapter else nullcontext()
        with hearing:
            with _flop_counter() as forward, LiveBytes() as live:
                loss = noise_loss(twin, batch)
            kept_bytes = live.count()
            with _flop_counter() as backward:
                loss.sum().backward()  # type: ignore[no-untyped-call]
    return StepCost(forward.get_total_flops(), backward.get_total_flops(), kept_bytes)


def _flop_counter() -> "FlopCounterMode":
    from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

    def forward(query: Any, key: Any, value: Any, *_given: Any, **_made: Any) -> int:
        return int(sdpa_flop_count(query, key, value))  # type: ignore[no-untyped-call]

    def backward(grad: Any, query: Any, key: Any, value: Any, *_given: Any, **_made: Any) -> int:
        return int(sdpa_backward_flop_count(grad, query, key, value))  # type: ignore[no-untyped-call]

    # Shapes alone compute as if on a processor, whose attention older torch (seen with 2.11) does not count.
    on_a_processor = {
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: forward,
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: backward,
    }
    return FlopCounterMode(display=False, custom_mapping=on_a_processor)


@contextmanager
def _attending(adapter: AudioAdapter, backbone: Backbone, batch: Batch) -> Iterator[None]:
    with adapter.attached(backbone.network), adapter.conditioned(batch.features):
        yield


def _blank(backbone: Backbone, kind: torch.dtype) -> Backbone:
    before = torch.get_default_dtype()
    torch.set_default_dtype(kind)
    try:
        return backbone.blank()
    finally:
        torch.set_default_dtype(before)


def training_flops(adapter: AudioAdapter, backbone: Backbone) -> float:
    """Operations of one clip in one step, nothing computed twice: what MFU counts."""
    return step_cost(adapter.config, backbone).flops


def _blank_batch(config: AdapterConfig | None, backbone: Backbone) -> Batch:
    latents = torch.zeros(1, *backbone.latent_shape)
    rows = config.rows if config else ()
    return Batch(
        latents=latents,
        noise=torch.zeros_like(latents),
        time=torch.full((1,), 0.5),
        features={row.key: torch.zeros(1, row.columns, row.tokens, row.width) for row in rows},
        text=torch.zeros(1, backbone.text_tokens, backbone.text_width),
        audio_mask=torch.ones(1, dtype=torch.bool),
        image_mask=torch.ones(1, dtype=torch.bool),
        numbers=(0,),
        image={name: torch.zeros(1, *shape) for name, shape in backbone.condition_shapes.items()},
    )


@dataclass
class Meter:
    """Measures laps between two lines of the log.

    Attributes:
        flops_per_clip: forward and the needed backward of one clip, nothing computed twice; None: not known.
        last_s: length of the last lap.
    """

    flops_per_clip: float | None = None
    last_s: float = 0.0
    _since: float = field(default_factory=time.perf_counter)

    def lap(self, *, steps: int, clips: int, device: str) -> dict[str, float]:
        """Speed since the last lap; peak memory on a GPU."""
        now = time.perf_counter()
        self.last_s, self._since = now - self._since, now
        found = {"step_s": round(self.last_s / steps, 4), "clips_per_s": round(clips / self.last_s, 3)}
        if device.startswith("cuda"):
            found["peak_gib"] = round(torch.cuda.max_memory_allocated(device) / 2**30, 2)
        peak = peak_flops(device)
        if peak and self.flops_per_clip:
            found["mfu"] = round(clips * self.flops_per_clip / self.last_s / peak, 4)
        return found
