"""Settings as people write them, before a model checks them: a tree from a YAML file and `--set a.b=c`.

Keys at the top hold for both stages, those in the tables `one` and `two` for that stage alone.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from shards.errors import BadInput
from shards.yaml_files import read_yaml

Model = TypeVar("Model", bound=BaseModel)

STAGE_TABLES = ("one", "two")
"""Names of the tables that concern one stage alone."""

_OF_BOTH = ("stage", "backbone")
"""What a table of a stage cannot hold: its name says the stage, and stage two goes on with stage one's backbone."""

_VALUE_ERRORS = (ValueError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What PyYAML lets out besides its own errors: the date 2026-13-01, `!!bool maybe`, a thousand brackets."""


def read_settings(path: Path | None, overrides: tuple[str, ...] = ()) -> dict[str, Any]:
    """The tree of settings in a YAML file with overrides such as "two.pretrain.steps=50" on top, not yet checked.

    Raises:
        BadInput: the file cannot be read or is no table, or an override that sets nothing.
    """
    settings = {} if path is None else read_yaml(path)
    for override in overrides:
        _set(settings, override)
    return settings


def settings_of(stage: int, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What settings say of one stage besides its number and its backbone.

    Raises:
        BadInput: a table of a stage is none, names a stage or a backbone, or a key is no text.
    """
    _check_keys(settings, "the settings")
    for table in STAGE_TABLES:
        _check_stage_table(table, settings.get(table))
    shared = {key: value for key, value in settings.items() if key not in STAGE_TABLES}
    for key in _OF_BOTH:
        if key in shared:
            raise BadInput(f"{key!r} is no setting of a stage", remedy=f"name it apart from the settings: --{key}")
    return _laid_over(shared, settings.get(STAGE_TABLES[stage - 1]) or {})


def checked(model: type[Model], values: Mapping[str, Any]) -> Model:
    """Settings as a model knows them.

    Raises:
        BadInput: one that it does not know or cannot hold.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        message = f"training setting {where!r}: {first['msg']}" if where else first["msg"].removeprefix("Value error, ")
        raise BadInput(message, remedy="docs/training.md lists the settings there are") from error


def _check_stage_table(name: str, table: Any) -> None:
    if table is None:
        return
    if not isinstance(table, dict):
        raise BadInput(
            f"`{name}`: {table!r} is no table of settings", remedy=f"write `{name}:` and below it `key: value` lines"
        )
    _check_keys(table, f"`{name}`")
    for key in _OF_BOTH:
        if key in table:
            raise BadInput(
                f"`{name}` cannot have a {key} of its own", remedy=f"both stages share it: say `{key}` outside `{name}`"
            )


def _check_keys(table: Mapping[Any, Any], where: str) -> None:
    for key in table:
        if not isinstance(key, str):
            raise BadInput(
                f"{where}: the key {key!r} is no text", remedy="docs/training.md lists the settings there are"
            )


def _laid_over(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Two trees as one: where both have a table its keys meet, elsewhere the upper one counts."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _laid_over(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _set(settings: dict[str, Any], override: str) -> None:
    path, equals, text = override.partition("=")
    *groups, key = path.split(".")
    if not equals or not all((*groups, key)):
        raise BadInput(f"{override!r} sets nothing", remedy="write --set key=value or --set group.key=value")
    table = settings
    for depth, group in enumerate(groups, 1):
        # A table that a file names and leaves empty is None there.
        if table.get(group) is None:
            table[group] = {}
        table = table[group]
        if not isinstance(table, dict):
            raise BadInput(
                f"--set {override}: `{'.'.join(groups[:depth])}` is {table!r} already, which has nothing below it",
                remedy="give one of the two: the value, or settings below it",
            )
    table[key] = _value(text, override)


def _value(text: str, override: str) -> Any:
    """A value in YAML; YAML 1.1 reads 1e-4 as text, which pydantic turns into a number where one belongs."""
    import yaml

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, *_VALUE_ERRORS) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadInput(f"--set {override}: {said}", remedy="the value is YAML: 3, text, [1, 2], {a: 1}") from error
