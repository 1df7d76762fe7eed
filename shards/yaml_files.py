"""Settings as people write them: a YAML file read as a tree whose keys are text, or a sentence that names the line."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from shards.errors import BadInput

_KEY_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")
_VALUE_ERRORS = (ValueError, LookupError, AttributeError, ArithmeticError)
"""What PyYAML lets out where a value is not what it looks like: the date 2026-13-01, `!!bool maybe`."""

_AS_TEXT = "YAML 1.1 reads numbers, yes, no, on, off and dates as values: write a key that is one of these in quotes"


def read_yaml(path: Path) -> dict[str, Any]:
    """The tree in a YAML file; an empty file is an empty tree.

    Raises:
        BadInput: the file cannot be read, is not UTF-8 or not YAML, is no table, or a key in it is no text; with the
            line, where there is one.
    """
    tree = _parsed(_text_of(path), path)
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise BadInput(f"{path} is no table of settings", remedy="write `key: value` lines")
    return tree


def _text_of(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}", remedy="check the path and its rights") from error
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise BadInput(f"{path} is not UTF-8 text, line {line}", remedy="save it as UTF-8") from error


def _parsed(text: str, path: Path) -> Any:
    try:
        return yaml.load(text, _Loader)
    except _KeyIsNoText as error:
        raise BadInput(f"{path}, {_where(error, text)}: {_what(error)}", remedy=_AS_TEXT) from error
    except yaml.YAMLError as error:
        raise BadInput(
            f"{path} is not YAML, {_where(error, text)}: {_what(error)}", remedy="mend what stands there"
        ) from error
    except RecursionError as error:
        raise BadInput(f"{path} is nested too deeply", remedy="settings need a few levels at most") from error


def _where(error: yaml.YAMLError, text: str) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}"
    return f"line {text.count(chr(10), 0, getattr(error, 'position', 0)) + 1}"


def _what(error: yaml.YAMLError) -> str:
    said = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    return " ".join(str(said).split())


class _KeyIsNoText(yaml.MarkedYAMLError):
    pass


class _Loader(yaml.SafeLoader):
    """The safe loader, with keys that are text at every depth and a line for every value that cannot be."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        if isinstance(node, yaml.MappingNode):
            for key, _ in node.value:
                if key.tag not in _KEY_TAGS:
                    said = f"the key {key.value}" if isinstance(key, yaml.ScalarNode) else "a key"
                    raise _KeyIsNoText(problem=f"{said} is no text", problem_mark=key.start_mark)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except _VALUE_ERRORS as error:
            kind = node.tag.rpartition(":")[2]
            raise yaml.MarkedYAMLError(problem=f"a value that is no {kind}", problem_mark=node.start_mark) from error
