"""`clapboard evaluate` without a terminal: from a name of a benchmark to files in a folder."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from flows.evaluation.page import FILMS, Shown, write_comparison, write_evaluation
from shards.errors import BadInput, Unavailable
from shards.files import write_atomic
from training.adapter.files import DESCRIPTION
from training.evaluate.base import Metric
from training.evaluate.benchmarks import Benchmark, spread
from training.evaluate.compare import Comparison, compared, read_evaluation
from training.evaluate.films import ClipFormat
from training.evaluate.players import FolderPlayer, Player, RunPlayer, write_film
from training.evaluate.registry import METRICS, OF_DRAWN, WITHOUT_WEIGHTS, Tools, chosen
from training.evaluate.result import Evaluation
from training.evaluate.run import evaluate
from training.progress import Progress
from training.stages.result import RESULT as RUN_RESULT

SHOWN, PAGE, COMPARISON, PROBE = "films.json", "evaluation.html", "comparison.html", "probe.json"
ALL = "all"


@dataclass(frozen=True, slots=True)
class Cutting:
    """What is asked for instead of the benchmark's own format; None keeps it."""

    fps: float | None = None
    seconds: float | None = None
    per_video: int | None = None
    size_px: int | None = None

    def of(self, cut: ClipFormat) -> ClipFormat:
        """The format with what was asked for."""
        fps = self.fps or cut.fps
        seconds = self.seconds or cut.duration_s
        size = (self.size_px, self.size_px) if self.size_px else cut.size_px
        made = replace(
            cut, fps=fps, frames=round(seconds * fps), per_video=self.per_video or cut.per_video, size_px=size
        )
        if made.frames < 2:
            raise BadInput(f"{seconds} s at {fps:g} fps is {made.frames} frames", remedy="--seconds 2 --fps 6, say")
        return made


def open_player(target: Path | None, out: Path, *, guidance: float, seed: int, device: str) -> Player | None:
    """A run, a folder of films, or nobody.

    Raises:
        BadInput: it is neither.
    """
    if target is None:
        return None
    if any((folder / DESCRIPTION).is_file() for folder in (target, target / "adapter")):
        return RunPlayer(target, out / "films", guidance=guidance, seed=seed, device=device)
    return FolderPlayer(target)


def metrics_of(names: Sequence[str], benchmark: str, made: Tools) -> tuple[list[Metric], dict[str, str]]:
    """The metrics asked for; of "all" those that this machine can compute, and why not the others."""
    if not names:
        return chosen([*(OF_DRAWN if benchmark == "drawn" else ()), *WITHOUT_WEIGHTS], made), {}
    if list(names) != [ALL]:
        return chosen(names, made), {}
    found, lacking = [], {}
    for name in METRICS:
        if name in OF_DRAWN and benchmark != "drawn":
            lacking[name] = "nobody knows when the sounds begin: for --benchmark drawn"
            continue
        try:
            found += chosen([name], made)
        except (Unavailable, BadInput) as error:
            lacking[name] = str(error)
    return found, lacking


def run_evaluation(
    benchmark: Benchmark,
    player: Player | None,
    metrics: Sequence[Metric],
    out: Path,
    *,
    cut: ClipFormat,
    controls: bool = True,
    run: Path | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluate, and leave JSON, parquet and a page in `out`; a run's own sync probe is copied beside them."""
    said = evaluate(benchmark, metrics, out, player=player, cut=cut, controls=controls, progress=progress)
    said.save(out)
    if run is not None and (run / RUN_RESULT).is_file():
        probe = json.loads((run / RUN_RESULT).read_text(encoding="utf-8")).get("probe", {})
        write_atomic(out / PROBE, json.dumps(probe, indent=1).encode())
    shown = _shown(benchmark, player, out, cut, said.skipped)
    kept = {one.clip: {"caption": one.caption} | {name: str(path) for name, path in one.films.items()} for one in shown}
    write_atomic(out / SHOWN, json.dumps(kept, indent=1).encode())
    write_evaluation(said, shown, out / PAGE)
    return said


def run_comparison(first: Path, second: Path) -> list[Comparison]:
    """Compare two evaluations, and leave a page in the first one's folder.

    Raises:
        BadInput: one is none, or they have nothing in common.
    """
    a, b = read_evaluation(first), read_evaluation(second)
    higher = {name: make(Tools()).higher_is_better for name, make in METRICS.items()}
    found = compared(a, b, higher_is_better=higher)
    names = (a.player, b.player) if a.player != b.player else (f"{a.player} (first)", f"{b.player} (second)")
    films = [json.loads((one / SHOWN).read_text(encoding="utf-8")) for one in (first, second)]
    shown = [
        Shown(
            clip,
            told["caption"],
            {"truth": Path(told["truth"])}
            | {
                name: Path(film[clip]["film"])
                for name, film in zip(names, films, strict=True)
                if film[clip].get("film")
            },
        )
        for clip, told in films[0].items()
        if clip in films[1]
    ]
    write_comparison(*names, a.benchmark, found, shown, first / COMPARISON)
    return found


def _shown(
    benchmark: Benchmark, player: Player | None, out: Path, cut: ClipFormat, skipped: Mapping[str, str]
) -> list[Shown]:
    shown = []
    for source in spread([one for one in benchmark.sources if one.video_id not in skipped], FILMS):
        name = f"{source.video_id}_clip-0"
        truth = out / "truth" / f"{name}.mp4"
        words = truth.with_suffix(".txt")
        if not (truth.is_file() and words.is_file()):
            clip = source.clips(cut)[0]
            write_film(truth, clip.frames, clip, fps=round(clip.fps))
            words.write_text(clip.caption, encoding="utf-8")
        films: dict[str, Path | None] = {"truth": truth.resolve()}
        if player and (film := player.film_of(name)):
            films["film"] = film.absolute()
        shown.append(Shown(name, words.read_text(encoding="utf-8"), films))
    return shown
