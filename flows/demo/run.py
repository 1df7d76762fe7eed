"""The demo: the whole journey on drawn videos whose truth is known, through the very flows that deployments run.

Every step asks whether its work is done, so a second run only looks, says so and writes the report anew.
"""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import typer

from curation.home.folder import Home
from curation.settings.recipe import Recipe, load_recipe
from flows.demo.answers import Answered, Judged, answer_queue, judge, links_of
from flows.demo.loopback import is_free, serve_folder
from flows.demo.planted import Planted, plant, write_sources
from flows.demo.postcard import animate_postcard
from flows.demo.report import write_demo_report
from flows.presets import preset_path
from flows.report.data import Timing
from flows.run import stage_set
from flows.summary import CurateSummary, PublishSummary, TrainSummary
from shards.errors import ClapboardError
from shards.files import write_atomic
from training.settings.config import Stage

SEED = 7
STEPS = 8
USUAL_PORT = 28613
QUICK: dict[str, object] = {"steps": 8}
"""Enough steps to see that training runs, too few to learn anything."""


@dataclass(slots=True)
class DemoRun:
    """What the steps of a demo found and made, filled in as they go."""

    home: Home
    recipe: Recipe
    quick: bool
    timings: list[Timing] = field(default_factory=list)

    @contextmanager
    def step(self, what: str) -> Iterator[list[str]]:
        """Time a step; what it appends to the list is said and noted when it is done."""
        notes: list[str] = []
        start = time.perf_counter()
        yield notes
        seconds = time.perf_counter() - start
        self.timings.append(Timing(what, round(seconds, 1), "; ".join(notes)))
        typer.echo(f"[{len(self.timings)}/{STEPS}] {what:<10} {seconds:6.1f} s  {'; '.join(notes)}")


def run_demo(root: Path, *, fresh: bool, quick: bool) -> None:
    """Run the journey in `root` and print what came of it; `quick` trains for a moment only."""
    if fresh:
        shutil.rmtree(root, ignore_errors=True)
    run = DemoRun(Home(root), load_recipe(preset_path("demo")), quick)
    world = root / "world"
    with run.step("draw") as notes:
        planted = plant(world, seed=SEED)
        made = sum(one.fresh for one in planted)
        notes.append(f"{len(planted)} files with known truth, {_done(made, 'drawn')}")
    with serve_folder(world, port=_port(root)) as server, stage_set(run.home):
        _keep_port(root, server.base_url)
        truth = links_of(planted, server.base_url)
        curated = _curate(run, write_sources(world, server.base_url))
        answered = _review(run, truth)
        published = _publish(run)
        stages = [_train(run, stage) for stage in Stage]
        animation = _animate(run, Path(stages[-1].run_dir))
        judged = _judge(run, truth)
        _report(run, curated, published, stages, judged, animation)
    _close(run, curated, answered, judged, animation)


def _curate(run: DemoRun, table: Path) -> CurateSummary:
    from flows.curate import CurateParams, curate

    with run.step("curate") as notes:
        summary = curate(CurateParams(sources=[str(table)], home=run.home.root, recipe=run.recipe))
        notes += [
            f"{summary.new_rows} new rows",
            _done(summary.fetched, "fetched"),
            _done(summary.measured, "measured"),
            f"{summary.snapshot} {'published' if summary.fresh_snapshot else 'unchanged'}",
        ]
    return summary


def _review(run: DemoRun, truth: dict[str, Planted]) -> Answered:
    with run.step("review") as notes, run.home.ledger() as ledger:
        answered = answer_queue(ledger, truth)
        given = answered.accepted + answered.rejected
        notes.append(f"{given} verdicts given from the known truth, in place of a person")
        if answered.left:
            notes.append(f"{answered.left} left to you")
    return answered


def _publish(run: DemoRun) -> PublishSummary:
    from flows.publish import PublishParams, publish_curated

    with run.step("publish") as notes:
        summary = publish_curated(PublishParams(home=run.home.root, recipe=run.recipe))
        notes.append(f"{summary.snapshot}: {summary.clips} clips, {'published' if summary.fresh else 'unchanged'}")
    return summary


def _train(run: DemoRun, stage: Stage) -> TrainSummary:
    from flows.train import TrainParams, train

    with run.step(f"train {int(stage)}") as notes:
        settings = QUICK if run.quick else {}
        summary = train(TrainParams(stage=stage, home=run.home.root, settings=settings))
        notes += [
            f"{summary.steps} steps on {summary.snapshot}" + ("" if summary.fresh else ", done before"),
            f"{summary.trainable_share:.2%} of the parameters trained",
            "a shifted sound costs {shift_gap:+.4f} ± {shift_gap_error:.4f}".format(**summary.probe),
        ]
    return summary


def _animate(run: DemoRun, trained: Path) -> Path:
    with run.step("animate") as notes:
        animation, made = animate_postcard(run.home.root / "animation", trained)
        notes.append(f"{animation.name} {'made' if made else 'was there'}")
    return animation


def _judge(run: DemoRun, truth: dict[str, Planted]) -> list[Judged]:
    with run.home.ledger() as ledger:
        return judge(ledger, truth)


def _report(
    run: DemoRun,
    curated: CurateSummary,
    published: PublishSummary,
    stages: list[TrainSummary],
    judged: list[Judged],
    animation: Path,
) -> None:
    with run.step("report") as notes:
        write_demo_report(
            run.home,
            recipe=run.recipe,
            curated=curated,
            published=published,
            stages=stages,
            judged=judged,
            animation=animation,
            timings=run.timings,
        )
        notes.append(run.home.report.name)


def _close(run: DemoRun, curated: CurateSummary, answered: Answered, judged: list[Judged], animation: Path) -> None:
    """Print the funnel, what was not run, where things are, and what to do next."""
    from flows.cli.curate import show_funnel

    home = run.home.root
    typer.echo("")
    show_funnel(home)
    typer.echo("")
    for lack in curated.not_run:
        typer.echo(f"not run: {lack.what}: {lack.why}; mend: {lack.command}")
    if answered.left:
        typer.echo(f"not run: {answered.left} clips have no known truth; look: clapboard review serve --home {home}")
    right = sum(one.ok for one in judged)
    typer.echo(f"planted truth: {right} of {len(judged)} files were decided as they ought to be")
    typer.echo(f"report:    {run.home.report}")
    typer.echo(f"animation: {animation}")
    typer.echo(f"snapshots: clapboard snapshot list --home {home}")
    typer.echo(f"Prefect:   clapboard serve --home {home}   then open http://127.0.0.1:4200 to look at the runs")
    wrong = [one for one in judged if not one.ok]
    if wrong:
        words = "; ".join(f"{one.planted.file}: {one.found}, not {one.planted.expected}" for one in wrong)
        raise ClapboardError(f"the demo decided against the known truth: {words}", remedy="see the report's table")


def _done(count: int, word: str) -> str:
    return f"{count} {word}" if count else f"nothing to do, all {word} before"


def _port(root: Path) -> int | None:
    """The port of the first run: links hold it, and must stay what they are.

    A first run takes the usual port if it is free, so that two homes give the same clip ids and the same figures.
    """
    note = root / "demo.json"
    if note.is_file():
        return int(json.loads(note.read_text())["port"])
    return USUAL_PORT if is_free(USUAL_PORT) else None


def _keep_port(root: Path, base_url: str) -> None:
    write_atomic(root / "demo.json", json.dumps({"port": int(base_url.rpartition(":")[2])}).encode())
