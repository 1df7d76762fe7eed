"""Records of delimited text: a quote that is not closed, or stands astray, costs its own line and no other.

A quoted cell may run over lines, as RFC 4180 allows. So may a cell whose quote somebody forgot: to a plain parser it
swallows the rows behind it, up to the next quote. A cell therefore ends, unfinished, where a line follows that is a row
by itself.
"""

import csv
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from curation.sources.text import MAX_LINE, is_too_long

MOST_LINES = 50
"""Lines that a cell may run over [ours]; a longer one is an open quote."""

Cells = list[str]


@dataclass(frozen=True, slots=True)
class Record:
    """The cells of a line, or of the lines that a quoted cell runs over; `number` is the first, counted from 1."""

    number: int
    cells: Cells


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A line that is none."""

    number: int
    detail: str


def records(
    lines: Iterable[str],
    *,
    delimiter: str,
    is_row: Callable[[Cells], bool],
    skip_space: bool = False,
) -> Iterator[Record | BadRecord]:
    """The records of a text; lines without a word are passed over.

    Args:
        lines: with their ends.
        delimiter: what stands between cells.
        is_row: whether cells make a row by themselves; asked where a line follows an open quote.
        skip_space: whether spaces behind a delimiter mean nothing.
    """
    ahead = _Ahead(lines)
    while (first := ahead.take()) is not None:
        number = ahead.number
        if is_too_long(first):
            yield BadRecord(number, f"it has more than {MAX_LINE} characters")
            continue
        reading = _Reading(ahead, delimiter, is_row, skip_space=skip_space)
        try:
            cells = reading.cells(first)
        except csv.Error as error:
            open_quote = "unexpected end" in str(error)
            detail = f"a quote is open, and not closed up to line {number + reading.used}" if open_quote else str(error)
            yield BadRecord(number, detail)
            continue
        ahead.drop(reading.used)
        if any(cell.strip() for cell in cells):
            yield Record(number, cells)


class _Ahead:
    """Lines that can be looked at before they are taken."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._waiting = deque[str]()
        self.number = 0

    def take(self) -> str | None:
        line = self._waiting.popleft() if self._waiting else next(self._lines, None)
        self.number += line is not None
        return line

    def drop(self, count: int) -> None:
        for _ in range(count):
            self.take()

    def peek(self, at: int) -> str | None:
        while len(self._waiting) <= at:
            line = next(self._lines, None)
            if line is None:
                return None
            self._waiting.append(line)
        return self._waiting[at]


class _Reading:
    """One record: its first line, and as many more as its open quote needs and may have."""

    def __init__(self, ahead: _Ahead, delimiter: str, is_row: Callable[[Cells], bool], *, skip_space: bool) -> None:
        self._ahead, self._delimiter, self._is_row, self._skip_space = ahead, delimiter, is_row, skip_space
        self.used = 0

    def cells(self, first: str) -> Cells:
        if '"' not in first and not self._skip_space:
            return first.rstrip("\r\n").split(self._delimiter)
        # Strict, so that a quote astray is an error and not a part of the cell.
        return self._parsed(self._feed(first), strict=True)

    def _feed(self, first: str) -> Iterator[str]:
        yield first
        while self.used < MOST_LINES:
            line = self._ahead.peek(self.used)
            # Not strict: a row whose own quotes are astray is one to stop at too.
            if line is None or is_too_long(line) or self._is_row(self._parsed((line,), strict=False)):
                return
            self.used += 1
            yield line

    def _parsed(self, lines: Iterable[str], *, strict: bool) -> Cells:
        read = csv.reader(lines, delimiter=self._delimiter, strict=strict, skipinitialspace=self._skip_space)
        return next(read, [])
