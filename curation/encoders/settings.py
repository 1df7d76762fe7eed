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


class SemanticSettings(BaseModel):
    """What the semantic scores compare, and by which models."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    image_model: ImageModel = Field(ImageModel.OPEN_CLIP, description="who embeds pictures")
    sound_model: SoundModel = Field(SoundModel.LAION_CLAP, description="who embeds sounds")
    image_template: str = Field("a video of {}", description="words around a caption, for pictures")
    sound_template: str = Field("the sound of {}", description="words around a caption, for sounds")
    vocabulary: list[str] = Field(default=[], description="classes between which picture and sound shall agree")
    sound_part_s: float = Field(2.0, gt=0, le=10, description="length of a sound that is embedded [pred]")
    sound_hop_s: float = Field(0.5, gt=0, description="distance of two embedded sounds")

    @field_validator("image_template", "sound_template")
    @classmethod
    def _one_gap(cls, template: str) -> str:
        if template.count("{}") != 1 or template.replace("{}", "").count("{"):
            raise ValueError('a template has one gap: "a video of {}"')
        return template
