"""How a video is sampled, as a person says it."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from shards.errors import BadInput


class Scheduler(StrEnum):
    """How one walks from noise to data: the backbone's own steps (Euler, DDIM), or a solver of higher order.

    UniPC (Zhao et al. 2023) and DPM-Solver++ (Lu et al. 2022) look back on earlier steps and need fewer of them.
    """

    OWN = "own"
    UNIPC = "unipc"
    DPM = "dpm++"


@dataclass(frozen=True, slots=True)
class SampleSettings:
    """How to sample; None is what the backbone usually takes.

    Attributes:
        num_inference_steps: steps from noise to data.
        audio_guidance_scale: s, guidance by sound; 0 is the backbone alone.
        guidance_scale: g, guidance by words; 1 is none beyond them.
        seed: another seed, another motion.
        negative: what the video should not show; guidance by words leads away from it.
        scheduler: see `Scheduler`.
    """

    num_inference_steps: int | None = None
    audio_guidance_scale: float = 2.0
    guidance_scale: float | None = None
    seed: int = 0
    negative: str = ""
    scheduler: Scheduler = Scheduler.OWN

    def __post_init__(self) -> None:
        if self.num_inference_steps is not None and self.num_inference_steps < 1:
            raise BadInput(f"{self.num_inference_steps} steps lead nowhere", remedy="take 1 or more")
        if self.audio_guidance_scale < 0 or (self.guidance_scale or 0) < 0:
            raise BadInput("guidance below 0 leads away from what is given", remedy="take 0 or more")
        if self.seed < 0:
            raise BadInput(f"the seed {self.seed} is below 0", remedy="take a whole number from 0")

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self) | {"scheduler": self.scheduler.value}
