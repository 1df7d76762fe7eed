"""An evaluation as one HTML page: figures with their intervals, what is blind, and films side by side.

As the curation's report it holds no script and asks nothing of the network; captions are escaped.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from flows.report.cards import data_uri
from shards.files import write_atomic
from training.evaluate.compare import Comparison
from training.evaluate.result import Evaluation, MetricResult
from training.evaluate.statistics import Estimate

FILMS = 6
"""Clips whose films are shown."""

FILM_BYTES = 4_000_000
"""A larger film is left out of the page."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One clip's films by player, in the order of the page; a path that is no file is said to be missing."""

    clip: str
    caption: str
    films: Mapping[str, Path | None] = field(default_factory=dict)


def write_evaluation(evaluation: Evaluation, shown: Sequence[Shown], path: Path) -> Path:
    """Write the page of one evaluation, whole or not at all."""
    page = _environment().get_template("evaluation.html.j2").render(evaluation=evaluation, shown=_embedded(shown))
    write_atomic(path, page.encode())
    return path


def write_comparison(
    first: str, second: str, benchmark: str, found: Sequence[Comparison], shown: Sequence[Shown], path: Path
) -> Path:
    """Write the page of two evaluations side by side."""
    page = (
        _environment()
        .get_template("comparison.html.j2")
        .render(first=first, second=second, benchmark=benchmark, found=found, shown=_embedded(shown))
    )
    write_atomic(path, page.encode())
    return path


def interval(one: Estimate) -> str:
    """A value with its interval."""
    if not math.isfinite(one.value):
        return "–"
    if not math.isfinite(one.low):
        return f"{one.value:.3g}"
    return f"{one.value:.3g} [{one.low:.3g}, {one.high:.3g}]"


def figure_rows(metrics: Sequence[MetricResult]) -> list[list[str]]:
    """The table of a terminal: metric, film, truth, each control, verdict."""
    names = list(dict.fromkeys(name for one in metrics for name in one.controls))
    rows = []
    for one in metrics:
        way = "up" if one.higher_is_better else "down"
        controls = [_control(one, name) for name in names]
        rows.append([f"{one.name} ({way})", interval(one.film), interval(one.truth), *controls, one.verdict()])
    return [["metric", "film", "truth", *names, "verdict"], *rows]


def _control(one: MetricResult, name: str) -> str:
    if name not in one.controls:
        return "n/a"
    found = one.controls[name]
    return f"{found.value.value:.3g}{'' if found.told else ' (blind)'}" if math.isfinite(found.value.value) else "–"


def _embedded(shown: Sequence[Shown]) -> list[tuple[Shown, dict[str, str]]]:
    return [(one, {name: _film(path) for name, path in one.films.items()}) for one in shown]


def _film(path: Path | None) -> str:
    there = path is not None and path.is_file() and path.stat().st_size <= FILM_BYTES
    return data_uri(path, "video/mp4") if there and path else ""


def _environment() -> Environment:
    made = Environment(
        loader=ChoiceLoader([PackageLoader("flows.evaluation"), PackageLoader("flows.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"interval": interval}
    made.globals |= {"rows": figure_rows}
    return made
