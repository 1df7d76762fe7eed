"""What a command shows: tables and bars on a terminal, plain lines in a log, JSON where asked for."""

import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.table import Table

from shards.errors import ClapboardError
from shards.words import printable

Advance = Callable[[int, int, str], None]
"""Progress: how many are done, of how many, and what just happened."""


def out() -> Console:
    """The console of a command's results."""
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def complain(error: ClapboardError) -> None:
    """Say on standard error what went wrong and what mends it."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"[bold red]error:[/] {_plain(error.message)}")
    console.print(f"  [bold]mend:[/] {_plain(error.remedy)}")


def print_json(value: Any) -> None:
    """One JSON document on one line; NaN and the infinities, which JSON does not have, become null."""
    sys.stdout.write(json.dumps(_finite(value), sort_keys=True, default=str, allow_nan=False) + "\n")


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on a terminal, tab-separated lines otherwise."""
    if not sys.stdout.isatty():
        lines = ("\t".join(printable(str(cell)) for cell in row) for row in rows)
        sys.stdout.write("\n".join(["\t".join(columns), *lines]) + "\n")
        return
    grid = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        grid.add_row(*(_plain(printable(str(cell))) for cell in row))
    out().print(grid)


@contextmanager
def bars() -> Iterator[Callable[[str, int, int, str], None]]:
    """A bar for each named step on a terminal; in a log a line at most every tenth of each step's way."""
    if not sys.stderr.isatty():
        yield _line_printer()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description:<16}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[note]}"),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as shown:
        tasks: dict[str, Any] = {}

        def show(step: str, done: int, total: int, note: str) -> None:
            if step not in tasks:
                tasks[step] = shown.add_task(step, total=total, note="")
            shown.update(tasks[step], completed=done, total=total, note=_plain(note[:60]))

        yield show


@contextmanager
def progress(step: str) -> Iterator[Advance]:
    """The bar of a single step."""
    with bars() as show:
        yield lambda done, total, note: show(step, done, total, note)


def _line_printer() -> Callable[[str, int, int, str], None]:
    tenths: dict[str, int] = {}

    def show(step: str, done: int, total: int, note: str) -> None:
        tenth = 10 * done // max(total, 1)
        if tenths.get(step) != tenth:
            tenths[step] = tenth
            sys.stderr.write(f"{step}: {done}/{total} {note}\n")
            sys.stderr.flush()

    return show


def visible(text: str) -> str:
    """Text of strangers for a terminal: what would move its cursor, or break the line, as escapes."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _plain(text: str) -> str:
    """Text that rich takes as it is: captions and links may hold square brackets, and worse."""
    from rich.markup import escape

    return escape(printable(text, lines=True))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
