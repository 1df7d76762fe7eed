"""The report as one HTML page: no script, no network, nothing beside the file itself.

Titles, captions and links come from the web and are hostile until escaped: the template escapes everything but the
charts of `plots`, and a content security policy inside the page forbids scripts and outside requests.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from curation.accounting.funnel import Stage
from curation.decide.policy import Band
from curation.review.where import COLUMNS as PLACE_COLUMNS
from curation.review.words import web_link
from flows.report import plots
from flows.report import words as say
from flows.report.cards import Picture, data_uri, drawn_file, sheets
from flows.report.data import Report
from shards.files import write_atomic

EMBED_ANIMATION_BYTES = 8_000_000
ANIMATION_TILES = 12


@dataclass(frozen=True, slots=True)
class Figure:
    """A headline number."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Animation:
    """The model's film inside the page (`embedded`), or beside it (`link`), and drawn; nothing if there is none."""

    embedded: str = ""
    link: str = ""
    picture: Picture = field(default_factory=Picture)


def write_report(report: Report, path: Path) -> Path:
    """Write the page to `path`, whole or not at all; links to outputs are relative to it.

    Raises:
        Unavailable: there are clips to draw and no ffmpeg.
    """
    write_atomic(path, render(report, folder=path.parent).encode())
    return path


def render(report: Report, *, folder: Path | None = None) -> str:
    """The page's HTML, the same for the same report.

    Args:
        report: what to say.
        folder: where the page will lie; links to outputs are made relative to it, without it there are none.

    Raises:
        Unavailable: there are clips to draw and no ffmpeg.
    """
    return (
        _environment(folder)
        .get_template("report.html.j2")
        .render(
            report=report,
            figures=headline(report),
            sheets=sheets(report.clips),
            animation=_animation(report.animation, folder),
            bands=list(Band),
        )
    )


def headline(report: Report) -> tuple[Figure, ...]:
    """The run in a line: rows in, clips accepted, reviewed and published, time; what is unknown lacks."""
    stages = {stage.name: stage for stage in report.funnel}
    counts = (
        (_entered(stages.get("source rows")), "source rows in"),
        (_left(stages.get("clips merged"), "accept"), "clips accepted"),
        (_left(stages.get("clips reviewed"), "accepted", "rejected"), "reviewed"),
        (report.published, "clips published"),
    )
    figures = [Figure(f"{count:,}", label) for count, label in counts if count is not None]
    if report.timings:
        figures.append(Figure(say.duration(sum(one.seconds for one in report.timings)), "in all"))
    return tuple(figures)


def _entered(stage: Stage | None) -> int | None:
    return stage.entered if stage else None


def _left(stage: Stage | None, *outcomes: str) -> int | None:
    return sum(stage.outcomes.get(name, 0) for name in outcomes) if stage else None


def _animation(path: Path | None, folder: Path | None) -> Animation:
    if path is None or not path.is_file():
        return Animation()
    picture = drawn_file(path, tiles=ANIMATION_TILES)
    if path.stat().st_size <= EMBED_ANIMATION_BYTES:
        return Animation(embedded=data_uri(path, "video/mp4"), picture=picture)
    return Animation(link=_href(path, folder), picture=picture)


def _environment(folder: Path | None) -> Environment:
    environment = Environment(
        loader=PackageLoader("flows.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "words": say.words,
        "number": say.number,
        "duration": say.duration,
        "web_link": web_link,
        "without_place": lambda scores: {name: value for name, value in scores.items() if name not in PLACE_COLUMNS},
        "remedy": lambda outcome: say.coded(say.remedy(outcome)),
        "coded": say.coded,
        "tone": say.tone,
        "ordered": say.ordered,
        "bar": lambda stage: Markup(plots.funnel_bar(stage)),
        "histogram": lambda chart: Markup(plots.histogram(chart)),
        "curve": lambda curve: Markup(plots.loss_curve(curve)),
        "dots": lambda row, rows: Markup(plots.probe_dots(row, rows)),
        "svg": Markup,
        "href": lambda path: _href(path, folder),
        "place": lambda path: _place(path, folder),
    }
    environment.globals["span"] = say.span
    return environment


def _href(path: Path, folder: Path | None) -> str:
    return quote(os.path.relpath(path.resolve(), folder.resolve())) if folder else ""


def _place(path: Path, folder: Path | None) -> str:
    """`path` as seen from `folder` where it lies inside, else as it is."""
    if folder and path.resolve().is_relative_to(folder.resolve()):
        return str(path.resolve().relative_to(folder.resolve()))
    return str(path)
