"""A study's data sets: drawn, then curated, reviewed and published by the flows that users run.

The home `auto` takes the crawl first: its snapshot auto/v1 is what our curation leaves. It then takes a second part of
the crawl, which simulated reviewers look through as they would on the review page: what they accept is `curated`.
`raw` is the crawl with everything accepted that decodes; `oracle` has only its films that are in sync.
"""

import csv
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from curation.home.folder import Home
from curation.settings.recipe import Recipe, load_recipe
from flows.curate import CurateParams, curate
from flows.presets import preset_path
from flows.progress import Step
from flows.publish import PublishParams, publish_curated
from flows.study.arms import Data
from flows.study.reviewing import Reviewed, review
from flows.study.settings import StudySettings
from shards.files import write_atomic
from shards.snapshot import open_snapshot
from training.world import Fault, Split
from training.world.folder import FAULTS, SOURCES, draw_folder

DATA = "data.json"
FIRST = "v1"


@dataclass(frozen=True, slots=True)
class DataSet:
    """What a data set holds.

    Attributes:
        clips: published ones.
        in_sync: how many of them are of films that are in sync, by their known labels.
        of: how many films of that kind it was made from.
    """

    clips: int
    in_sync: int
    of: int


@dataclass(frozen=True, slots=True)
class StudyData:
    """All data sets, and what the reviewers did for the curated one."""

    sets: dict[Data, DataSet]
    reviewed: Reviewed


def home_of(root: Path, data: Data) -> Home:
    """The home of a data set; the curated one comes from the home of our curation."""
    return home_in(root, Data.AUTO if data is Data.CURATED else data)


def home_in(root: Path, name: str) -> Home:
    """A home of a study by its name."""
    return Home(root / "homes" / name)


def study_recipe() -> Recipe:
    """How the crawl is curated: as the demo curates."""
    return load_recipe(preset_path("demo"))


def everything(recipe: Recipe) -> Recipe:
    """The same with all accepted that decodes."""
    return recipe.model_copy(update={"policy": recipe.policy.model_copy(update={"accept_all": True})})


def snapshot_of(data: Data) -> str:
    """The snapshot of a data set in its home."""
    return f"{'curated' if data is Data.CURATED else 'auto'}/{FIRST}"


def make_data(root: Path, settings: StudySettings) -> StudyData:
    """Draw, curate, review and publish what is not there yet."""
    if (root / DATA).is_file():
        return read_data(root)
    crawl, more = root / "films" / "crawl", root / "films" / "reviewed"
    _draw(crawl, settings, settings.crawled, first=0)
    # In the same split behind the crawl: no seed belongs to both.
    _draw(more, settings, settings.reviewed, first=settings.crawled)
    recipe = study_recipe()
    # Reviewers see all that curation lets through, not only what it doubts.
    curious = recipe.model_copy(update={"review": recipe.review.model_copy(update={"audit_share": 1.0})})
    _curate(root, Data.AUTO, crawl / SOURCES, curious)
    _curate(root, Data.RAW, crawl / SOURCES, everything(recipe))
    _curate(root, Data.ORACLE, _good_ones(crawl), everything(recipe))
    _curate(root, Data.AUTO, more / SOURCES, curious)
    reviewed = review(home_of(root, Data.CURATED), _truth(more), recipe.policy, settings)
    publish_curated(PublishParams(home=home_of(root, Data.CURATED).root, recipe=curious))
    truth = _truth(crawl) | _truth(more)
    counts = {Data.CURATED: settings.reviewed}
    sets = {data: _counted(root, data, truth, counts.get(data, settings.crawled)) for data in Data}
    made = StudyData(sets, reviewed)
    write_atomic(root / DATA, json.dumps(asdict(made), indent=1).encode())
    return made


def read_data(root: Path) -> StudyData:
    """What `make_data` wrote down."""
    kept = json.loads((root / DATA).read_text(encoding="utf-8"))
    return StudyData({Data(name): DataSet(**one) for name, one in kept["sets"].items()}, Reviewed(**kept["reviewed"]))


def _draw(folder: Path, settings: StudySettings, count: int, *, first: int) -> None:
    draw_folder(
        folder,
        count,
        first=first,
        split=Split.TRAIN,
        duration_s=settings.film_s,
        size_px=settings.size_px,
        web=True,
        progress=Step(f"drawing {folder.name}", count).show,
    )


def _curate(root: Path, data: Data, table: Path, recipe: Recipe) -> None:
    curate(CurateParams(sources=[str(table)], home=home_of(root, data).root, recipe=recipe))


def _truth(folder: Path) -> dict[str, Fault]:
    """Of each film by its file's name, of which there are no two in a study."""
    faults = json.loads((folder / FAULTS).read_text(encoding="utf-8"))
    return {name: Fault(fault) for name, fault in faults.items()}


def _good_ones(folder: Path) -> Path:
    """A table of the films that are in sync, beside that of all."""
    truth = _truth(folder)
    with (folder / SOURCES).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    out = folder / "oracle.csv"
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(row for row in rows if truth[row["path"]].in_sync)
    return out


def _counted(root: Path, data: Data, truth: dict[str, Fault], of: int) -> DataSet:
    faults = [truth[name] for name in _names(home_of(root, data), snapshot_of(data))]
    return DataSet(len(faults), sum(one.in_sync for one in faults), of)


def _names(home: Home, snapshot: str) -> list[str]:
    return [Path(link).name for link in open_snapshot(home.snapshots, snapshot).index(["link"])["link"].to_pylist()]
