"""A recipe: every setting of a curation run, as one YAML file, one Prefect form and one line in a snapshot."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from curation.decide.policy import Policy
from curation.dedup.match import DedupSettings
from curation.encoders.settings import SemanticSettings
from curation.fetch.settings import FetchSettings
from curation.home.store import StoreSettings
from curation.media.settings import SHOTS_VERSION, AnalysisSettings, CutSettings, SandboxSettings, ShotSettings
from curation.settings.review import ReviewSettings
from curation.sources.settings import SourceSettings
from shards.errors import BadInput
from shards.yaml_files import read_yaml


class ClipSettings(BaseModel):
    """Windows are scored, neighbours of one band are merged into clips [pred]."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    window_s: float = Field(3.0, gt=0, description="length of a scored window")
    stride_s: float = Field(0.5, gt=0, description="distance of two windows' starts")
    max_s: float = Field(10.0, gt=0, description="longest merged clip; longer ones are split evenly")
    most_per_video: int = Field(0, ge=0, description="keep the best so many accepted, and flagged, clips; 0 keeps all")


class PublishSettings(BaseModel):
    """How snapshots are laid out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    clips_per_shard: int = Field(256, ge=1, description="clips in a shard; shards differ by one at most")


class Recipe(BaseModel):
    """All settings of a curation run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sources: SourceSettings = Field(default_factory=SourceSettings)
    fetch: FetchSettings = Field(default_factory=FetchSettings)
    store: StoreSettings = Field(default_factory=StoreSettings)
    analysis: AnalysisSettings = Field(default_factory=AnalysisSettings)
    shots: ShotSettings = Field(default_factory=ShotSettings)
    sandbox: SandboxSettings = Field(default_factory=SandboxSettings)
    clips: ClipSettings = Field(default_factory=ClipSettings)
    scores: list[str] = Field(default=["motion", "loudness", "missing", "sync"], description="scores that must run")
    optional_scores: list[str] = Field(
        default=["speech", "clip", "clap", "agreement"],
        description="scores that run where this machine can",
    )
    semantics: SemanticSettings = Field(default_factory=SemanticSettings)
    policy: Policy = Field(default_factory=Policy)
    dedup: DedupSettings = Field(default_factory=DedupSettings)
    review: ReviewSettings = Field(default_factory=ReviewSettings)
    cut: CutSettings = Field(default_factory=CutSettings)
    publish: PublishSettings = Field(default_factory=PublishSettings)

    def measuring_key(self) -> str:
        """A digest of what decides windows and curves; videos measured under another key are measured again."""
        decoding = self.analysis.model_dump_json() + self.shots.model_dump_json()
        parts = f"{decoding}{SHOTS_VERSION}{self.clips.window_s}{self.clips.stride_s}"
        return hashlib.sha256(parts.encode()).hexdigest()[:12]

    def publishing_settings(self) -> dict[str, Any]:
        """What a snapshot's manifest tells of the recipe: all that shaped its clips, nothing about the machine."""
        return self.model_dump(mode="json", exclude={"sources", "fetch", "store", "optional_scores", "sandbox"})


def load_recipe(path: Path) -> Recipe:
    """Read a recipe from YAML; settings that are not named keep their defaults.

    Raises:
        BadInput: no such file, not YAML, or a setting that does not exist or has a wrong value.
    """
    return checked_recipe(read_yaml(path), told=f"the recipe {path}")


def recipe_on_top(base: Recipe, changes: object, *, told: str) -> Recipe:
    """A recipe with some settings changed, each by the keys of its tables; lists and tables of names are replaced.

    Raises:
        BadInput: a setting that does not exist or has a wrong value; `told` says whose it is.
    """
    return checked_recipe(_changed(base, changes) if isinstance(changes, Mapping) else changes, told=told)


def checked_recipe(settings: object, *, told: str) -> Recipe:
    """A recipe of settings as they were read; `told` is what they are called where they are wrong.

    Raises:
        BadInput: a setting that does not exist or has a wrong value.
    """
    try:
        return Recipe.model_validate(settings)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the top"
        raise BadInput(
            f"{told} is wrong at {where}: {first['msg']}", remedy="docs/recipes.md lists every setting"
        ) from error


def _changed(part: BaseModel, changes: Mapping[str, object]) -> dict[str, Any]:
    """What a part was told, with what it is told now."""
    told: dict[str, Any] = {name: getattr(part, name) for name in part.model_fields_set}
    for name, value in changes.items():
        inner = getattr(part, name, None)
        told[name] = _changed(inner, value) if isinstance(inner, BaseModel) and isinstance(value, Mapping) else value
    return told
