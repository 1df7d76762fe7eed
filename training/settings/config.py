"""What a training run is told: one pydantic model, from defaults per stage, a YAML file and `--set a.b=c`.

Stage one runs at a constant 1e-4 with batch 64 and clipping at 1.0 [pred]; stage two at 1e-5, falling as a cosine, and
sound and words are dropped with 0.1 each [ours]. `tiny` and `drawn` learn at higher rates: their adapters have tens of
thousands of weights instead of tens of millions and see hundreds of clips instead of millions, so a weight may take
larger steps, and a laptop has time for far fewer of them.
"""

from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from training.settings.files import checked, read_settings, settings_of
from training.settings.options import BackboneOptions, SiteChoice

DEFAULT_BACKBONE = "drawn"
"""It comes with the package and needs no GPU."""


class Stage(IntEnum):
    """One: on the automatically curated snapshot. Two: on the small one curated by people [paper]."""

    ONE = 1
    TWO = 2


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class PretrainConfig(_Strict):
    """How the tiny backbone is trained, without sound, before it is frozen; other backbones come with weights."""

    steps: int = Field(default=170, ge=1)
    batch: int = Field(default=8, ge=1)
    lr: float = Field(default=3e-3, gt=0)
    warmup_steps: int = Field(default=20, ge=0)
    ema: float = Field(default=0.97, ge=0, lt=1)
    seed: int = 0


class WindowConfig(_Strict):
    """Which stretches of a published clip are cached."""

    stride_s: float = Field(default=0.5, gt=0)
    per_clip: int = Field(default=4, ge=1)


class EncoderConfig(_Strict):
    """An audio encoder: its name, which of its layers (its own choice by default), and a folder or file of weights."""

    name: str
    layers: tuple[int, ...] = ()
    weights: Path | None = None


class Precision(StrEnum):
    """What the frozen generator computes in; the adapter's own weights are always float32."""

    AUTO = "auto"
    """bf16 on a GPU, float32 on a CPU."""

    FP32 = "fp32"
    BF16 = "bf16"


class Checkpointing(StrEnum):
    """What the blocks of the generator compute again in the backward pass instead of keeping it."""

    NONE = "none"
    SELECTIVE = "selective"
    """All but matrix products and attention: a good part of the memory for little time."""

    ALL = "all"
    """Everything: the least memory, one more forward pass."""


class TrainConfig(_Strict):
    """Everything that decides a stage of training. docs/training.md says when to touch what.

    Attributes:
        stage: 1 or 2.
        snapshot: what to train on, "NAME/vN" or "NAME" for its newest version.
        backbone: a name in `training.backbones.BACKBONES`.
        weights, frames, size_px, sites: see `training.settings.options.BackboneOptions`.
        encoders: audio encoders; a name alone stands for its usual layers.
        window_radius_s: r of window attention; 0 hears a frame's own columns only.
        audio_width, heads, budget: shape of the adapter; its inner width follows from the budget.
        steps, batch, lr, warmup_steps, cosine, weight_decay, clip_norm, ema: the optimiser.
        out_lr: rate of the layers that start at zero, in multiples of `lr`.
        audio_dropout, text_dropout, image_dropout: how often a clip is shown without each, independently.
        motion_weight: extra weight of latents that change much; 0 weighs all alike.
        sample_latents: draw latents from what the codec says instead of taking its mean.
        balance: show every class equally often.
        replay: share of samples from the snapshot of the run that stage two starts from.
        init_from: the stage-one run that stage two starts from; the newest finished one by default.
        cache: read encoded clips; False encodes them anew in every step.
        micro_batch: clips at once on a device; the rest of a batch follows before the step is taken.
        processes: how many train together on this machine; torchrun starts them.
        precision, compile, checkpointing, shard_network: how a step is computed; see docs/training.md.
        loaders: batches that are prepared ahead.
        save_every, keep: a checkpoint each so many steps, and how many stay besides the best.
        log_every: steps between lines of the log; only then the host waits for the device.
        probe_every: steps between sync probes; 0 probes at the end alone.
        patience: stop when so many probes in a row were no better than the best one; 0 never stops early.
        sample_every, samples: steps between sample videos (0: none), and how many.
        trackers: where else to log: tensorboard, wandb, mlflow, trackio.
        held_out: share of source videos kept for the probe.
        share: of the other source videos, those that are trained on; which ones follows from `seed`.
        probe_clips: clips that the probe looks at.
        device: "cpu", "cuda", or "auto" for cuda where there is one.
    """

    stage: Stage
    snapshot: str
    backbone: str = DEFAULT_BACKBONE
    weights: Path | None = None
    frames: int | None = Field(default=None, ge=1)
    size_px: tuple[int, int] | None = None
    sites: SiteChoice = SiteChoice.DEFAULT
    encoders: tuple[Annotated[EncoderConfig, BeforeValidator(_named)], ...] = Field(
        default=(EncoderConfig(name="mel"),), min_length=1
    )
    window_radius_s: float = Field(default=0.3, ge=0)
    audio_width: int = Field(default=512, ge=1)
    heads: int = Field(default=8, ge=1)
    budget: float = Field(default=0.019, gt=0, lt=1)
    steps: int = Field(default=20_000, ge=1)
    batch: int = Field(default=64, ge=1)
    lr: float = Field(default=1e-4, gt=0)
    out_lr: float = Field(default=1.0, gt=0)
    warmup_steps: int = Field(default=1_000, ge=0)
    cosine: bool = False
    weight_decay: float = Field(default=0.01, ge=0)
    clip_norm: float = Field(default=1.0, gt=0)
    ema: float = Field(default=0.999, ge=0, lt=1)
    audio_dropout: float = Field(default=0.1, ge=0, le=1)
    text_dropout: float = Field(default=0.1, ge=0, le=1)
    image_dropout: float = Field(default=0.0, ge=0, le=1)
    motion_weight: float = Field(default=0.0, ge=0)
    sample_latents: bool = False
    balance: bool = False
    replay: float = Field(default=0.0, ge=0, lt=1)
    init_from: Path | None = None
    cache: bool = True
    micro_batch: int | None = Field(default=None, ge=1)
    precision: Precision = Precision.AUTO
    compile: bool = False
    checkpointing: Checkpointing = Checkpointing.NONE
    shard_network: bool = False
    processes: int = Field(default=1, ge=1)
    loaders: int = Field(default=2, ge=0)
    save_every: int = Field(default=500, ge=1)
    keep: int = Field(default=2, ge=1)
    log_every: int = Field(default=10, ge=1)
    probe_every: int = Field(default=0, ge=0)
    patience: int = Field(default=0, ge=0)
    sample_every: int = Field(default=0, ge=0)
    samples: int = Field(default=2, ge=1)
    trackers: tuple[str, ...] = ()
    held_out: float = Field(default=0.15, ge=0, lt=1)
    share: float = Field(default=1.0, gt=0, le=1)
    probe_clips: int = Field(default=16, ge=1)
    device: str = Field(default="auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    seed: int = 0
    windows: WindowConfig = Field(default_factory=WindowConfig)
    pretrain: PretrainConfig = Field(default_factory=PretrainConfig)

    @model_validator(mode="after")
    def _fits_together(self) -> "TrainConfig":
        if self.patience and not self.probe_every:
            raise ValueError("patience counts probes: set probe_every as well")
        if self.replay and self.stage is Stage.ONE:
            raise ValueError("replay shows what stage one saw: it belongs to stage two")
        return self

    @model_validator(mode="after")
    def _can_be_dealt(self) -> "TrainConfig":
        if self.batch % self.processes:
            raise ValueError(
                f"a batch of {self.batch} cannot be dealt to {self.processes} processes: `processes` may be "
                f"{_divisors(self.batch)}, or `batch` a multiple of {self.processes}"
            )
        share = self.batch // self.processes
        if self.micro_batch and share % self.micro_batch:
            raise ValueError(
                f"micro_batch must divide the {share} clips that a process has of each batch, and {self.micro_batch} "
                f"does not: it may be {_divisors(share)}"
            )
        return self

    def clips_at_once(self) -> int:
        """How many clips a process computes at once."""
        return self.micro_batch or self.batch // self.processes

    def half(self, device: str) -> bool:
        """Whether the generator computes in bf16 on a device."""
        return self.precision is Precision.BF16 or (self.precision is Precision.AUTO and device != "cpu")

    def options(self, device: str = "cpu") -> BackboneOptions:
        """What is chosen about the backbone on a device."""
        return BackboneOptions(self.weights, self.frames, self.size_px, self.sites, self.half(device), device)


HOW = frozenset(
    [
        "init_from",
        "snapshot",
        "cache",
        "device",
        "processes",
        "micro_batch",
        "shard_network",
        "loaders",
        "save_every",
        "keep",
        "log_every",
        "sample_every",
        "samples",
        "trackers",
    ]
)
"""Settings that change how a run goes, but not what comes out of it: they do not name the run."""


_STAGE_TWO: dict[str, Any] = {"lr": 1e-5, "cosine": True, "steps": 2_000, "warmup_steps": 0}
_TINY: dict[str, Any] = {
    "audio_width": 32,
    "heads": 2,
    "steps": 160,
    "batch": 8,
    "lr": 5e-3,
    "warmup_steps": 10,
    "ema": 0.97,
    "save_every": 80,
}
_DRAWN: dict[str, Any] = _TINY | {"steps": 200}
_SMALL = {"tiny": _TINY, "drawn": _DRAWN}
_SMALL_STAGE_TWO: dict[str, Any] = {"steps": 50, "lr": 1e-3, "cosine": True, "warmup_steps": 0}


def stage_config(stage: Stage | int, *, backbone: str = DEFAULT_BACKBONE, **changes: Any) -> TrainConfig:
    """The defaults of a stage for a backbone, with `changes` on top; the snapshot is "auto" or "curated" by default.

    Raises:
        BadInput: a change that the config does not know or cannot hold.
    """
    return checked(TrainConfig, _defaults(Stage(stage), backbone) | changes)


def load_config(path: Path | None, *, stage: Stage | int, overrides: tuple[str, ...] = ()) -> TrainConfig:
    """Stage defaults, then the keys of a YAML file, then overrides such as "lr=2e-4" or "two.pretrain.steps=50".

    Raises:
        BadInput: the file cannot be read, or a key or value that the config does not know.
    """
    settings = read_settings(path, overrides)
    # Which stage is asked for is the caller's affair: one file serves both.
    settings.pop("stage", None)
    backbone = settings.pop("backbone", DEFAULT_BACKBONE)
    return checked(TrainConfig, _defaults(Stage(stage), backbone) | settings_of(stage, settings))


def _defaults(stage: Stage, backbone: Any) -> dict[str, Any]:
    values: dict[str, Any] = {"stage": stage, "backbone": backbone}
    values["snapshot"] = "auto" if stage is Stage.ONE else "curated"
    values |= _STAGE_TWO if stage is Stage.TWO else {}
    values |= _SMALL.get(backbone, {})
    if backbone in _SMALL and stage is Stage.TWO:
        values |= _SMALL_STAGE_TWO
    return values


def _divisors(count: int) -> str:
    return ", ".join(str(number) for number in range(1, count + 1) if count % number == 0)
