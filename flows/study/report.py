"""What a study leaves for readers: figures as JSON, the answer in words."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from flows.study.arms import ABLATED_SHARE, Data, Group, two_stages
from flows.study.data import read_data
from flows.study.plots import parts_svg, reviewing_svg, shares_svg
from flows.study.results import ArmResult, Probed, read_probe
from flows.study.settings import StudySettings
from flows.study.table import answer, by_arm, is_main, table
from shards.files import write_atomic
from training.loop.log import to_json

REPORT, RUNS, PROBES = "report", "runs", "probes"


@dataclass(frozen=True, slots=True)
class Report:
    """The table, the answer, and where all of it lies."""

    rows: list[dict[str, str]]
    answer: str
    folder: Path

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {"arms": self.rows, "answer": self.answer, "folder": str(self.folder)}


def write_report(root: Path, results: Sequence[ArmResult], settings: StudySettings) -> Report:
    """Write `report/` in the study's folder."""
    data, folder = read_data(root), root / REPORT
    probes = [read_probe(path) for path in sorted((root / PROBES).glob("*.json"))]
    rows, found = table(results, data, settings, probes), answer(results)
    if found.share is None:
        said = "Two stages did not reach what the whole curated set reaches alone, with any share of it."
    else:
        high = "never" if math.isinf(found.high) else f"{found.high:.0%}"
        said = (
            f"Two stages reached what the whole curated set reaches alone with {found.share:.0%} of it (95 % of draws: "
            f"from {found.low:.0%} to {high}; {found.never:.0%} of draws: never)."
        )
    folder.mkdir(parents=True, exist_ok=True)
    plots = {"shares": shares_svg(results, data, settings), "reviewing": reviewing_svg(data, settings)}
    if settings.ablations:
        plots["parts"] = parts_svg(results, two_stages(Data.AUTO, ABLATED_SHARE).name)
    for name, drawn in plots.items():
        write_atomic(folder / f"{name}.svg", drawn.encode())
    whole = {"settings": settings.model_dump(), "data": asdict(data), "table": rows, "answer": asdict(found)}
    write_atomic(folder / "study.json", to_json(whole | _listed(results, probes), indent=1).encode())
    return Report(rows, said, folder)


def _listed(results: Sequence[ArmResult], probes: Sequence[Probed]) -> dict[str, Any]:
    return {"results": [asdict(one) for one in results], "probes": [asdict(one) for one in probes]}


def write_films(root: Path, results: Sequence[ArmResult], *, films: int = 3) -> Path:
    """The same pictures and sounds, animated by the first seed of arms that differ: a row for each film (WebP).

    Columns: curated alone with the least share and with all; the crawl alone, raw and curated; both stages with the
    ablations' share or what comes next to it.
    """
    from flows.study.outcome import AUDIO_GUIDANCE
    from training.backbones.drawn import VIDEO
    from training.evaluate.sheets import Shown, write_grid
    from training.evaluate.strikes import animated

    path, chosen = root / REPORT / "films.webp", pictured(results)
    made = [list(animated(root / RUNS / one.run, range(films), audio_guidance=AUDIO_GUIDANCE)) for one in chosen]
    cells = [Shown(one.made, one.film.audio, one.film.events_s) for row in zip(*made, strict=True) for one in row]
    write_grid(path, cells, fps=VIDEO.fps, columns=len(chosen))
    return path


def pictured(results: Sequence[ArmResult]) -> list[ArmResult]:
    """The arms that `write_films` shows."""
    arms = {name: some[0] for name, some in by_arm(results).items()}
    alone = sorted((one for one in arms.values() if one.group == Group.CURATED_ONLY), key=lambda one: one.curated_share)
    both = sorted(
        (one for one in arms.values() if is_main(one)), key=lambda one: abs(one.curated_share - ABLATED_SHARE)
    )
    return [alone[0], alone[-1], arms[Data.RAW], arms[Data.AUTO], both[0]]
