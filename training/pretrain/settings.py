"""What pretraining is told."""

import hashlib

from pydantic import BaseModel, ConfigDict, Field

from training.settings.files import checked, read_settings


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    def digest(self) -> str:
        """Names a run: other settings never go on from its checkpoints."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]


class CodecSettings(_Strict):
    """How the codec is trained; a step paints `frames` frames upon the first pictures of each of `films` films.

    Attributes:
        drawn: how many films there are, of the catalogue's training split.
        noise: added to latents before they are painted, so that near ones look alike.
        painter_steps, painter_lr, painter_noise: afterwards the encoder stands still and the decoder learns on.
    """

    drawn: int = Field(default=1600, ge=2)
    steps: int = Field(default=4500, ge=1)
    films: int = Field(default=4, ge=1)
    frames: int = Field(default=6, ge=1)
    lr: float = Field(default=2e-3, gt=0)
    warmup_steps: int = Field(default=100, ge=0)
    ema: float = Field(default=0.997, ge=0, lt=1)
    noise: float = Field(default=0.15, ge=0)
    painter_steps: int = Field(default=2500, ge=0)
    painter_lr: float = Field(default=1.5e-3, gt=0)
    painter_noise: float = Field(default=0.06, ge=0)
    seed: int = 0


class PretrainSettings(_Strict):
    """Everything that decides the weights: the codec, then the generator on what it encodes."""

    codec: CodecSettings = Field(default_factory=CodecSettings)
    steps: int = Field(default=4500, ge=1)
    batch: int = Field(default=16, ge=1)
    lr: float = Field(default=1.5e-3, gt=0)
    warmup_steps: int = Field(default=100, ge=0)
    ema: float = Field(default=0.997, ge=0, lt=1)
    text_dropout: float = Field(default=0.1, ge=0, le=1)
    seed: int = 0


def read_pretrain_settings(overrides: tuple[str, ...]) -> PretrainSettings:
    """The defaults, with overrides such as "codec.steps=500" on top.

    Raises:
        BadInput: an override that sets nothing, or a setting that there is not.
    """
    return checked(PretrainSettings, read_settings(None, overrides))
