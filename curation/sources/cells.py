"""Cells of tables as text, whatever type a parquet or JSON file gives them. Binary ones are text by now."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from curation.sources.text import MARK

WORDS = frozenset({"caption", "label", "licence", "split"})
"""Columns of words: of several the first stands for all. Two links, or two starts, are none."""

NUL = "\0"


class CellError(ValueError):
    """A cell that is no text and cannot stand for one."""


def text_of(name: str, value: Any) -> tuple[str, str]:
    """A cell as text, and what is to be told about it; both may be empty.

    Raises:
        CellError: it is a structure, or a list of which no entry can stand for all.
    """
    if not isinstance(value, str):
        if isinstance(value, Mapping):
            raise CellError(f"{name} is a structure ({', '.join(map(str, value))[:100]}), not a text")
        if isinstance(value, Sequence):
            return _first_of(name, value)
    # A number that is none is how some programs write that there is none.
    text = "" if value is None or value != value else str(value).strip()
    if MARK in text:
        text = text.strip(MARK).strip()
    if NUL in text:
        if name not in WORDS:
            raise CellError(f"{name} holds a NUL")
        # No PostgreSQL ledger can keep one.
        return text.replace(NUL, "").strip(), f"{name} holds NULs; they are left out"
    broken = name in WORDS and ("\n" in text or "\r" in text)
    return text, f"{name} holds a line break" if broken else ""


def first_filled(fields: Mapping[str, Any], names: Iterable[str]) -> Any:
    """What stands in the first of these columns that says something."""
    return next((fields[name] for name in names if not _is_empty(fields.get(name))), None)


def by_column(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Cells by column; of columns with one name the first that says something counts."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if _is_empty(found.get(name)):
            found[name] = value
    return found


def _first_of(name: str, entries: Sequence[Any]) -> tuple[str, str]:
    filled = [one for one in entries if not _is_empty(one)]
    if not filled:
        return "", f"{name} is an empty list"
    if len(filled) > 1 and name not in WORDS:
        raise CellError(f"{name} is a list of {len(filled)}")
    text, told = text_of(name, filled[0])
    return text, f"{name} is a list of {len(filled)}; its first entry is taken" if len(filled) > 1 else told


def _is_empty(value: Any) -> bool:
    return value is None or value == ""
