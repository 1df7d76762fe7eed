"""Many videos from a table: resumable, and a row that fails does not stop the others.

Columns `image` and `sound`, and where they are wanted `caption`, `out`, `seed`. Paths of images and sounds are seen
from the table's folder, `out` from the folder of videos. `outcomes.csv` there has a line for each row.
"""

import csv
import io
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields, replace
from enum import StrEnum
from pathlib import Path

from shards.errors import BadInput, ClapboardError, Unavailable
from shards.files import told, write_atomic
from training.animate.animator import Animator
from training.animate.make import Job, make_video
from training.animate.record import asked, is_made
from training.animate.settings import SampleSettings
from training.progress import Progress

OUTCOMES = "outcomes.csv"
NEEDED = ("image", "sound")
KNOWN = (*NEEDED, "caption", "out", "seed")


class Outcome(StrEnum):
    """How a row left the batch: made, made before, unusable, lacking something here, failed otherwise."""

    DONE = "done"
    KEPT = "kept"
    BAD_INPUT = "bad_input"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"

    @property
    def good(self) -> bool:
        """Whether there is a video."""
        return self in (Outcome.DONE, Outcome.KEPT)


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """A line of `outcomes.csv`; `row` counts from 1, without the header, and `why` says what mends it."""

    row: int
    image: str
    sound: str
    out: str
    seed: str
    outcome: Outcome
    seconds: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table as it stands there."""

    number: int
    image: str
    sound: str
    caption: str
    out: str
    seed: str

    def job(self, *, table: Path, folder: Path, settings: SampleSettings) -> Job:
        """What it asks for.

        Raises:
            BadInput: a cell is empty or cannot be used.
        """
        for name in NEEDED:
            if not getattr(self, name):
                raise BadInput(f"row {self.number} names no {name}", remedy=f"fill the column {name}")
        out = folder / (self.out or f"{self.number:04d}.mp4")
        if not out.resolve().is_relative_to(folder.resolve()):
            raise BadInput(f"{self.out} lies outside {folder}", remedy="name a file within it")
        if self.seed and not self.seed.isdecimal():
            raise BadInput(f"the seed {self.seed!r} is no whole number from 0", remedy="name one, or leave it empty")
        chosen = replace(settings, seed=int(self.seed)) if self.seed else settings
        return Job(table.parent / self.image, table.parent / self.sound, out, self.caption, chosen)


def read_rows(table: Path) -> list[Row]:
    """The rows of a table.

    Raises:
        BadInput: it cannot be read, or has other columns.
    """
    try:
        text = table.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, IsADirectoryError, UnicodeDecodeError) as error:
        raise BadInput(f"{table} is no CSV file that can be read", remedy="give a CSV in UTF-8") from error
    lines = csv.DictReader(io.StringIO(text, newline=""))
    columns = [name.strip() for name in lines.fieldnames or ()]
    lines.fieldnames = columns
    missing, unknown = set(NEEDED) - set(columns), set(columns) - set(KNOWN)
    if missing or unknown:
        said = [f"lacks {', '.join(sorted(missing))}"] * bool(missing)
        said += [f"has {', '.join(map(repr, sorted(unknown)))}"] * bool(unknown)
        raise BadInput(f"{table} {' and '.join(said)}", remedy=f"name its columns of {', '.join(KNOWN)}")
    cells = [{name: (line.get(name) or "").strip() for name in KNOWN} for line in lines]
    return [Row(number, **one) for number, one in enumerate(cells, start=1)]


def run_batch(
    animator: Animator,
    table: Path,
    folder: Path,
    *,
    settings: SampleSettings,
    caption: str = "",
    progress: Progress | None = None,
    tell: Callable[[RowOutcome], None] = lambda _: None,
) -> list[RowOutcome]:
    """Make the videos of a table in `folder`; those that are there, made of the same, are kept.

    Args:
        animator: makes them.
        table: a CSV file.
        folder: of videos, records and `outcomes.csv`.
        settings: for all rows; a row's seed stands above them.
        caption: for rows without one.
        progress: of each row.
        tell: called with each row's outcome.

    Raises:
        BadInput: the table cannot be read.
    """
    rows = [replace(row, caption=row.caption or caption) for row in read_rows(table)]
    animator.prepare([settings.negative, *(row.caption for row in rows)])
    found: list[RowOutcome] = []
    for row in rows:
        found.append(_outcome(animator, row, table=table, folder=folder, settings=settings, progress=progress))
        _write(folder / OUTCOMES, found)
        tell(found[-1])
    _write(folder / OUTCOMES, found)
    return found


def _outcome(
    animator: Animator, row: Row, *, table: Path, folder: Path, settings: SampleSettings, progress: Progress | None
) -> RowOutcome:
    began, why, out = time.monotonic(), "", row.out or f"{row.number:04d}.mp4"
    try:
        outcome = _made(animator, row.job(table=table, folder=folder, settings=settings), progress)
    except ClapboardError as error:
        kinds = {BadInput: Outcome.BAD_INPUT, Unavailable: Outcome.UNAVAILABLE}
        outcome, why = kinds.get(type(error), Outcome.FAILED), str(error)
    except OSError as error:
        outcome, why = Outcome.FAILED, str(told(error) or error)
    seconds = round(time.monotonic() - began, 2)
    return RowOutcome(row.number, row.image, row.sound, out, row.seed, outcome, seconds, why)


def _made(animator: Animator, job: Job, progress: Progress | None) -> Outcome:
    if job.image.is_file() and job.sound.is_file():
        wanted = asked(animator, image=job.image, sound=job.sound, caption=job.caption, settings=job.settings)
        if is_made(job.out, wanted):
            return Outcome.KEPT
    make_video(animator, job, progress=progress)
    return Outcome.DONE


def _write(path: Path, found: Sequence[RowOutcome]) -> None:
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow([one.name for one in fields(RowOutcome)])
    table.writerows(map(astuple, found))
    write_atomic(path, text.getvalue().encode())
