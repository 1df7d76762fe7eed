"""Tables of links or paths: CSV with a header, or JSON lines.

Columns: `url` (or `link`) or `path` (or `file`); optional `start` and `end` in seconds or [h:]mm:ss, `caption`,
`label` (or `class`), `licence`. Others are passed over. Bytes that are not UTF-8 are carried through the parser as
lone surrogates, so that they cost the row they stand in and no other.
"""

import csv
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TextIO

from curation.outcomes import Outcome
from curation.sources.base import Read, RowFault, SourceRow, is_web, printable

NAMES = {
    "link": ("url", "link"),
    "path": ("path", "file"),
    "start": ("start", "start_s"),
    "end": ("end", "end_s"),
    "caption": ("caption", "text"),
    "label": ("label", "class"),
    "licence": ("licence", "license"),
}
MAX_SECONDS = 10_000_000.0
"""Longer than any video (115 days) [ours]; keeps microseconds within 64 bits."""

_UNDECODED = re.compile("[\ud800-\udfff]")
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:\.\d*)?)")


def read_csv(file: Path) -> Read:
    """Rows of a CSV table; commas, semicolons or tabs, whichever its header has most of."""
    with _open(file) as lines:
        header = next((line for line in lines if line.strip()), "")
        delimiter = max(",;\t", key=header.count)
        columns = [name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter), [])]
    if not set(columns) & {*NAMES["link"], *NAMES["path"]}:
        outcome = Outcome.BAD_ENCODING if _UNDECODED.search(header) else Outcome.MISSING_COLUMN
        yield RowFault(str(file), 0, outcome, printable(f"its columns are: {', '.join(columns) or 'none'}"))
        return
    with _open(file) as lines:
        # Strict, so that a quote which is never closed is a fault and not a cell that swallows the table.
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        yield from _csv_rows(reader, columns, delimiter, file)


def read_jsonl(file: Path) -> Read:
    """Rows of a file with one JSON object a line."""
    with _open(file) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                fields = json.loads(line)
            except (ValueError, RecursionError) as error:
                bad = Outcome.BAD_ENCODING if _UNDECODED.search(line) else Outcome.BAD_LINE
                yield RowFault(str(file), number, bad, f"not JSON: {error}")
                continue
            if isinstance(fields, dict):
                yield _row({key.strip().lower(): value for key, value in fields.items()}, file, number)
            else:
                yield RowFault(str(file), number, Outcome.BAD_LINE, "not a JSON object")


def _open(file: Path) -> TextIO:
    return file.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


def _csv_rows(reader: Any, columns: list[str], delimiter: str, file: Path) -> Read:
    in_header = True
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield RowFault(str(file), number, Outcome.BAD_LINE, f"{error} (line {number} to {reader.line_num})")
            continue
        if not any(cell.strip() for cell in cells):
            continue
        if in_header:
            in_header = False
            continue
        if len(columns) == 1:
            cells = [delimiter.join(cells)]
        if any(cell.strip() for cell in cells[len(columns) :]):
            detail = f"it has {len(cells)} cells, the header {len(columns)}"
            yield RowFault(str(file), number, Outcome.BAD_LINE, detail)
        else:
            yield _row(dict(zip(columns, cells, strict=False)), file, number)


def _row(fields: Mapping[str, Any], file: Path, number: int) -> SourceRow | RowFault:
    def fault(outcome: Outcome, detail: str) -> RowFault:
        return RowFault(str(file), number, outcome, printable(detail))

    if undecoded := _undecoded(fields.values()):
        return fault(Outcome.BAD_ENCODING, f"not UTF-8: {undecoded}")
    link, path = _text(fields, "link"), _text(fields, "path")
    if not link and not path:
        return fault(Outcome.BAD_LINK, "neither url nor path is filled in")
    if link and not is_web(link):
        return fault(Outcome.BAD_LINK, f"{link} is not http or https")
    try:
        start_us, end_us = _time_us(fields, "start"), _time_us(fields, "end")
    except ValueError as error:
        return fault(Outcome.BAD_SPAN, str(error))
    if end_us is not None and end_us <= (start_us or 0):
        return fault(Outcome.BAD_SPAN, f"it starts at {(start_us or 0) / 1e6} s and ends at {end_us / 1e6} s")
    try:
        place = None if link else (file.parent / path).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        return fault(Outcome.FILE_MISSING, str(error))
    return SourceRow(
        link=link or None,
        path=place,
        start_us=start_us,
        end_us=end_us,
        caption=_text(fields, "caption"),
        label=_text(fields, "label"),
        licence=_text(fields, "licence"),
        table=str(file),
        row=number,
    )


def _undecoded(values: Iterable[Any]) -> str:
    return next((str(value) for value in values if _UNDECODED.search(str(value))), "")


def _text(fields: Mapping[str, Any], name: str) -> str:
    found = next((fields[alias] for alias in NAMES[name] if fields.get(alias) not in (None, "")), "")
    return str(found).strip()


def _time_us(fields: Mapping[str, Any], name: str) -> int | None:
    text = _text(fields, name)
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
