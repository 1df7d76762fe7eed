"""From a line's fields to a row: which column means what, times, links, and everything that can be wrong.

Bytes that are not UTF-8 come here as lone surrogates, so that they cost the row they stand in and no other.
"""

import re
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from curation.outcomes import Outcome
from curation.sources.base import RowFault, SourceRow, is_web, surrogates_escaped
from curation.sources.cells import CellError, first_filled, text_of
from curation.sources.identity import without_fragment

NAMES: dict[str, tuple[str, ...]] = {
    "link": ("url", "link"),
    "path": ("path", "file"),
    "start": ("start", "start_s"),
    "end": ("end", "end_s"),
    "caption": ("caption", "text"),
    "label": ("label", "class"),
    "licence": ("licence", "license"),
    "split": ("split",),
}
MAX_SECONDS = 10_000_000.0
"""Longer than any video (115 days) [ours]; keeps microseconds within 64 bits."""

_UNDECODED = re.compile("[\ud800-\udfff]")
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:\.\d*)?)")


def columns_of(mapping: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The names under which each of our columns is looked for; `mapping` (ours -> theirs) comes before the usual."""
    return {
        ours: (mapping[ours].strip().lower(), *usual) if ours in mapping else usual for ours, usual in NAMES.items()
    }


def has_undecoded(text: str) -> bool:
    """Whether a text holds bytes that were not UTF-8."""
    return bool(_UNDECODED.search(text))


def row_of(
    fields: Mapping[str, Any], file: Path, number: int, names: Mapping[str, tuple[str, ...]] = NAMES
) -> SourceRow | RowFault:
    """The row of a line's fields, by lower-case column name; paths are relative to the folder of `file`."""

    def fault(outcome: Outcome, detail: str) -> RowFault:
        return RowFault(str(file), number, outcome, surrogates_escaped(detail))

    try:
        text, notes = _texts(fields, names)
    except CellError as error:
        return fault(Outcome.BAD_LINE, str(error))
    if undecoded := _undecoded(chain(fields.values(), text.values())):
        return fault(Outcome.BAD_ENCODING, f"not UTF-8: {undecoded}")
    if wrong := what_is_wrong(text["link"], text["path"]):
        return fault(Outcome.BAD_LINK, wrong)
    try:
        start_us, end_us = _time_us("start", text["start"]), _time_us("end", text["end"])
    except ValueError as error:
        return fault(Outcome.BAD_SPAN, str(error))
    if end_us is not None and end_us <= (start_us or 0):
        return fault(Outcome.BAD_SPAN, f"it starts at {(start_us or 0) / 1e6} s and ends at {end_us / 1e6} s")
    try:
        place = None if text["link"] else (file.parent / text["path"]).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        return fault(Outcome.FILE_MISSING, str(error))
    return SourceRow(
        link=without_fragment(text["link"]) or None,
        path=place,
        start_us=start_us,
        end_us=end_us,
        caption=text["caption"],
        label=text["label"],
        licence=text["licence"],
        table=str(file),
        row=number,
        split=text["split"],
        note="; ".join(notes),
    )


def what_is_wrong(link: str, path: str) -> str:
    """Why a row with this link and this path can be none; empty if it can."""
    if not link and not path:
        return "neither url nor path is filled in"
    if not link and is_web(path):
        return f"{path} is a link; name its column `url`"
    if link and not is_web(link):
        path_like = "://" not in link
        return f"{link} is no link; a path on this machine goes into a column `path`" if path_like else _no_web(link)
    return f"{link!r} holds white space" if re.search(r"\s", link) else ""


def _no_web(link: str) -> str:
    if link.lower().startswith("file:"):
        return f"{link} is not http or https; a path on this machine goes into a column `path`"
    return f"{link} is not http or https"


def _texts(fields: Mapping[str, Any], names: Mapping[str, tuple[str, ...]]) -> tuple[dict[str, str], list[str]]:
    """The text of each of our columns, and what is to be told about them."""
    told = {ours: text_of(ours, first_filled(fields, theirs)) for ours, theirs in names.items()}
    return {ours: text for ours, (text, _) in told.items()}, [note for _, note in told.values() if note]


def _undecoded(values: Iterable[Any]) -> str:
    words = [value for value in values if isinstance(value, str)]
    # One look at all of them: nearly every row is clean.
    if not _UNDECODED.search("\n".join(words)):
        return ""
    return next(word for word in words if _UNDECODED.search(word))


def _time_us(name: str, text: str) -> int | None:
    if not text:
        return None
    try:
        seconds = _clock_s(text) if ":" in text else float(text)
    except ValueError:
        raise ValueError(f"{name} is {text!r}, not a number of seconds or h:mm:ss") from None
    if not 0 <= seconds < MAX_SECONDS:
        raise ValueError(f"{name} is {text}")
    return round(seconds * 1e6)


def _clock_s(text: str) -> float:
    found = _CLOCK.fullmatch(text)
    if not found:
        raise ValueError(text)
    hours, minutes, seconds = float(found[1] or 0), float(found[2]), float(found[3])
    if seconds >= 60 or (found[1] and minutes >= 60):
        raise ValueError(text)
    return hours * 3600 + minutes * 60 + seconds
