"""The YAML presets in recipes/: beside the packages in a checkout, inside `flows` in an installed wheel."""

import os
from pathlib import Path

from curation.accounting.networks import lacks
from curation.settings.recipe import Recipe, load_recipe
from shards.errors import BadInput

_HERE = Path(__file__).resolve().parent

RECIPE = "CLAPBOARD_RECIPE"
"""The environment variable that names a project's recipe, a file or a preset."""


def default_preset() -> str:
    """The preset of whoever names none: `published` once the weights of its networks are all here."""
    return "default" if lacks() else "published"


def default_recipe() -> Recipe:
    """The recipe of whoever names none, on the command line, on the review page and in a deployment.

    Raises:
        BadInput: what `CLAPBOARD_RECIPE` names is not there, or wrong.
    """
    return named_recipe(os.environ.get(RECIPE) or default_preset())


def named_recipe(name: str) -> Recipe:
    """A recipe by the path of a YAML file or the name of a preset.

    Raises:
        BadInput: there is neither, or the file is wrong.
    """
    return load_recipe(Path(name) if is_file(name) else preset_path(name))


def is_file(name: str) -> bool:
    """Whether a recipe's name means a file."""
    return Path(name).suffix in (".yaml", ".yml")


def preset_path(name: str) -> Path:
    """The file of a preset.

    Raises:
        BadInput: there is no preset of that name; the remedy lists those that exist.
    """
    folder = next((one for one in (_HERE / "recipes", _HERE.parent / "recipes") if one.is_dir()), _HERE / "recipes")
    path = folder / f"{name}.yaml"
    if path.is_file():
        return path
    there = ", ".join(sorted(one.stem for one in folder.glob("*.yaml"))) or "none"
    raise BadInput(f"there is no preset {name!r}", remedy=f"name a .yaml file, or one of: {there}")
