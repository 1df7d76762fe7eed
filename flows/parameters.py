"""Types of flows' parameters. Whoever may open Prefect's pages sees parameters, so those hold no secrets.

Prefect draws its form from them: a recipe is one folded field there, and not its hundred settings one below the other.
"""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema, model_validator

from curation.home.folder import default_home
from curation.settings.recipe import Recipe, load_recipe, recipe_on_top
from flows.presets import default_recipe, is_file, preset_path
from flows.secrets import redacted
from shards.errors import BadInput


def _redacted(sources: list[str]) -> list[str]:
    return [redacted(one) for one in sources]


Sources = Annotated[list[str], PlainSerializer(_redacted, when_used="json")]
"""Source lists as they were given; written down, links hold no passwords and no keys."""

Preset = Annotated[
    str,
    Field(
        description="name of a preset (default, published, demo, offline), or path of a recipe file on the worker, "
        "counted from the home; empty: what CLAPBOARD_RECIPE names there, else the default"
    ),
]

RecipeOnTop = Annotated[
    Recipe,
    # Checked by the model when the run starts; to the form it is a table with any keys.
    WithJsonSchema({"type": "object", "additionalProperties": True}),
    Field(
        default_factory=default_recipe,
        description='settings on top of it, as in a recipe file: {"review": {"per_class": 40}}',
    ),
]


class WithRecipe(BaseModel):
    """Parameters with a home, a `preset` and a `recipe` of settings on top of it, which are put together here."""

    # What is wrong is said without what was given: a recipe may hold a proxy's password.
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _put_together(cls, given: Any) -> Any:
        if not isinstance(given, Mapping) or isinstance(given.get("recipe"), Recipe):
            return given
        try:
            base = _base(given.get("preset") or "", Path(given.get("home") or default_home()))
            return {**given, "recipe": recipe_on_top(base, given.get("recipe") or {}, told="the recipe of this run")}
        except BadInput as error:
            # In a sentence: pydantic, and so the run's page, says it as it is.
            raise ValueError(str(error)) from error


def _base(preset: str, home: Path) -> Recipe:
    if not preset:
        return default_recipe()
    return load_recipe(home / preset if is_file(preset) else preset_path(preset))


class Runner(StrEnum):
    """Who works videos off: threads of the run itself, runs on the workers of a pool, or a Ray cluster."""

    THREADS = "threads"
    WORKERS = "workers"
    RAY = "ray"
