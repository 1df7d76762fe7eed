"""A folder of drawn films as a user would have filmed ones: files, a table of sources, and, apart, the truth."""

import csv
import io
import json
from pathlib import Path

from shards.files import write_atomic
from training.progress import Progress
from training.world.catalogue import Split
from training.world.film import draw
from training.world.mp4 import write_film
from training.world.scenes import SCENES
from training.world.web import SHARES, Fault, crawled

SOURCES, EVENTS, FAULTS = "sources.csv", "events.json", "faults.json"
_COLUMNS = ("path", "caption", "label", "licence")
_LICENCE = "CC0-1.0"
_RATE_HZ = 48_000


def draw_folder(
    folder: Path,
    count: int,
    *,
    split: Split,
    duration_s: float,
    size_px: int,
    web: bool = False,
    first: int = 0,
    progress: Progress | None = None,
) -> None:
    """Draw `count` films of a split, from the `first` on, into `folder`; files that are there already are kept.

    Writes `NNNN-SCENE.mp4`, `sources.csv` (path, caption, label, licence) and `events.json` (file -> seconds at which a
    strike is seen); with `web` films have the faults of a crawl, and `faults.json` names them (file -> fault).
    """
    faults: dict[str, str] = {}
    events: dict[str, list[float]] = {}
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(_COLUMNS)
    for number in range(first, first + count):
        one = crawled(
            number,
            split=split,
            shares=SHARES if web else {Fault.NONE: 1.0},
            duration_s=duration_s,
            height_px=size_px,
            width_px=size_px,
            rate_hz=_RATE_HZ,
        )
        spec = one.spec
        film, name = draw(spec), f"{number:04d}-{spec.scene}.mp4"
        if not (folder / name).is_file():
            write_film(film, folder / name)
        faults[name] = one.fault
        events[name] = [round(time_s, 4) for time_s in film.events_s.tolist()]
        rows.writerow((name, SCENES[spec.scene].caption, spec.scene, _LICENCE))
        if progress:
            progress(number - first + 1, count, spec.scene)
    write_atomic(folder / SOURCES, table.getvalue().encode())
    write_atomic(folder / EVENTS, json.dumps(events, indent=1).encode())
    if web:
        write_atomic(folder / FAULTS, json.dumps(faults, indent=1).encode())
