"""Settings of the semantic scores: which encoders, which words around a caption, which classes."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, field_validator


class ImageModel(StrEnum):
    """Who embeds pictures."""

    OPEN_CLIP = "open_clip"
    OFFLINE = "offline"


class SoundModel(StrEnum):
    """Who embeds sounds."""

    LAION_CLAP = "laion_clap"
    TRANSFORMERS_CLAP = "transformers_clap"


class PairModel(StrEnum):
    """Who compares pictures with sounds directly; the names are those of the weights."""

    PE_AV_SMALL = "pe-av"
    PE_AV_BASE = "pe-av-base"
    PE_AV_LARGE = "pe-av-large"


class SemanticSettings(BaseModel):
    """What the semantic scores compare, and by which models."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    image_model: ImageModel = Field(ImageModel.OPEN_CLIP, description="who embeds pictures")
    sound_model: SoundModel = Field(SoundModel.LAION_CLAP, description="who embeds sounds")
    pair_model: PairModel = Field(PairModel.PE_AV_SMALL, description="who compares pictures with sounds directly")
    image_template: str = Field("a video of {}", description="words around a caption, for pictures")
    sound_template: str = Field("the sound of {}", description="words around a caption, for sounds")
    vocabulary: list[str] = Field(default=[], description="classes between which picture and sound shall agree")
    sound_part_s: float = Field(2.0, gt=0, le=10, description="length of a sound that is embedded [pred]")
    sound_hop_s: float = Field(0.5, gt=0, description="distance of two embedded sounds")

    @field_validator("image_template", "sound_template")
    @classmethod
    def _one_gap(cls, template: str) -> str:
        # Any other brace would only fail when a caption is put in, clips later.
        if template.count("{}") != 1 or set("{}") & set(template.replace("{}", "")):
            raise ValueError('a template has one gap {} and no other brace, as in "a video of {}"')
        return template

    @field_validator("vocabulary")
    @classmethod
    def _every_class_once(cls, vocabulary: list[str]) -> list[str]:
        # CLIP reads words without their case and spacing, so such twins would halve one class's probability.
        plain = [" ".join(name.casefold().split()) for name in vocabulary]
        if "" in plain:
            raise ValueError("a class of the vocabulary has no name")
        if twice := [name for at, name in enumerate(plain) if name in plain[:at]]:
            raise ValueError(f"classes stand in the vocabulary twice: {', '.join(map(repr, twice))}; name each once")
        return vocabulary
