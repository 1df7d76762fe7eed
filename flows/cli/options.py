"""Options that several commands share, and how a command turns them into what the code wants."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from curation.home.folder import Home
    from curation.settings.recipe import Recipe

HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home", help="Folder of the ledger, videos and snapshots.", envvar="CLAPBOARD_HOME", file_okay=False
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, one document a line.")]
RecipeOption = Annotated[
    str | None,
    typer.Option(
        "--recipe",
        help="A YAML file, or the name of a preset (default, published, demo, offline); without it what "
        "CLAPBOARD_RECIPE names.",
    ),
]

SetOption = Annotated[list[str], typer.Option("--set", metavar="A.B=C", help="One setting; may be given many times.")]


def home_of(option: Path | None) -> "Home":
    """The home that was named, or the default one."""
    from curation.home.folder import Home, default_home

    return Home((option or default_home()).absolute())


def recipe_of(option: str | None) -> "Recipe":
    """The recipe that was named (a file or a preset), or the default one."""
    from flows.presets import default_recipe, named_recipe

    return named_recipe(option) if option else default_recipe()
