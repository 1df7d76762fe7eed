"""`clapboard evaluate`: how good films are, whether they follow their sound, two side by side, and what people say."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli import vote
from flows.cli.default_command import by_default
from flows.cli.options import HomeOption, JsonOption, home_of

if TYPE_CHECKING:
    from training.evaluate.result import Evaluation


app = typer.Typer(
    cls=by_default("run"),
    no_args_is_help=True,
    help="Evaluate a run or a folder of films: `clapboard evaluate RUN_OR_FOLDER --benchmark NAME --metrics a,b`.",
)
app.add_typer(vote.app, name="vote")

OutOption = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="Folder of the results; by default HOME/evaluations/PLAYER-BENCHMARK."),
]


@app.command()
def run(
    target: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RUN_OR_FOLDER]",
            help="A run, or a folder of films VIDEO_clip-N.mp4; without it the truth is put against its controls.",
        ),
    ] = None,
    benchmark: Annotated[
        str,
        typer.Option(
            "--benchmark",
            help="drawn, folder, avsync15, avsync48, greatest-hits, landscapes, vggsound-sparse, or snapshot NAME/vN.",
        ),
    ] = "drawn",
    data: Annotated[
        Path | None, typer.Option("--data", help="Where the benchmark lies; snapshots: by default the home's.")
    ] = None,
    metrics: Annotated[
        str, typer.Option("--metrics", help="Names with commas, or all; by default those that need no weights.")
    ] = "",
    weights: Annotated[
        list[str], typer.Option("--weights", metavar="METRIC=PATH", help="A network's file or folder.")
    ] = [],  # noqa: B006 (typer copies it)
    limit: Annotated[int | None, typer.Option("--limit", min=2, help="So many videos, evenly spread.")] = None,
    where: Annotated[str, typer.Option("--where", metavar="COLUMN=VALUE", help="Rows of a folder's corpus.csv.")] = "",
    fps: Annotated[float | None, typer.Option("--fps", min=1, help="Frames a second of a clip.")] = None,
    seconds: Annotated[float | None, typer.Option("--seconds", min=0.2, help="Length of a clip.")] = None,
    clips: Annotated[int | None, typer.Option("--clips", min=1, help="Clips of each video.")] = None,
    size: Annotated[int | None, typer.Option("--size", min=16, help="Side of a clip in pixels.")] = None,
    controls: Annotated[
        bool, typer.Option("--controls/--no-controls", help="Measure the truth made worse too.")
    ] = True,
    guidance: Annotated[float, typer.Option("--guidance", min=0, help="How much a run's films heed the sound.")] = 2.0,
    seed: Annotated[int, typer.Option("--seed", help="Of a run's films.")] = 0,
    device: Annotated[str, typer.Option("--device", help="cpu, cuda, or auto.")] = "auto",
    out: OutOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Evaluate on a benchmark; leaves JSON, parquet and a page. The same command again goes on where it was."""
    from flows.cli.show import print_json, progress
    from flows.evaluation.job import Cutting, metrics_of, open_player, run_evaluation
    from flows.evaluation.wiring import tools, weight_paths
    from training.evaluate.benchmarks import open_benchmark
    from training.evaluate.players import RunPlayer
    from training.parallel import chosen_device

    place = home_of(home)
    made = tools(weight_paths(weights), device=chosen_device(device))
    chosen, lacking = metrics_of([one for one in metrics.split(",") if one], benchmark, made)
    for name, why in lacking.items():
        typer.secho(f"note: {name}: {why}", fg=typer.colors.YELLOW, err=True)
    folder = out or place.root / "evaluations" / f"{target.name if target else 'truth'}-{benchmark.replace('/', '-')}"
    player = open_player(target, folder, guidance=guidance, seed=seed, device=device)
    asked = Cutting(fps, seconds, clips, size)
    lies = data or (place.snapshots if "/" in benchmark else None)
    found = open_benchmark(benchmark, lies, limit=limit, where=where_of(where))
    cut = asked.of(found.cut)
    if isinstance(player, RunPlayer):
        # A run makes films of its own shape; whoever says otherwise compares it with others.
        own = player.cut
        cut = asked.of(_with(own, cut.per_video, cut.rate_hz))
    with progress("evaluating") as advance:
        said = run_evaluation(found, player, chosen, folder, cut=cut, controls=controls, run=target, progress=advance)
    if json:
        print_json(said.to_json())
    else:
        _show(said, folder)


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(help="A folder of results of `evaluate`.")],
    second: Annotated[Path, typer.Argument(help="Another one, on the same benchmark.")],
    json: JsonOption = False,
) -> None:
    """Two evaluations clip by clip: differences with intervals, and paired tests over videos."""
    from dataclasses import asdict

    from flows.cli.show import print_json, table
    from flows.evaluation.job import COMPARISON, run_comparison
    from flows.evaluation.page import interval
    from training.evaluate.compare import read_evaluation

    found = run_comparison(first, second)
    if json:
        for one in found:
            print_json(asdict(one))
        return
    names = [read_evaluation(one).player for one in (first, second)]
    rows = [
        [
            one.metric,
            interval(one.test.difference) if one.test else "–",
            f"{one.test.permutation_p:.3g}" if one.test else "–",
            f"{one.test.wilcoxon_p:.3g}" if one.test else "–",
            one.clips,
            one.verdict(*names),
        ]
        for one in found
    ]
    table(f"{names[0]} - {names[1]}", ["metric", "difference", "permutation p", "Wilcoxon p", "clips", "verdict"], rows)
    typer.echo(f"page: {first / COMPARISON}")


@app.command()
def classifier(
    data: Annotated[Path, typer.Argument(help="A folder of videos of six seconds and more, with their sound.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder for its three parts.", file_okay=False)],
    where: Annotated[str, typer.Option("--where", metavar="COLUMN=VALUE", help="Rows of its corpus.csv.")] = "",
    steps: Annotated[int, typer.Option("--steps", min=1, help="A video each.")] = 20_000,
    shifts: Annotated[int, typer.Option("--shifts", min=2, help="Windows of a stretch, 0.2 s apart.")] = 21,
    size: Annotated[int, typer.Option("--size", min=32, help="Side of the frames in pixels.")] = 224,
    seed: Annotated[int, typer.Option("--seed", help="Of weights and order.")] = 0,
    device: Annotated[str, typer.Option("--device", help="cpu, cuda, or auto.")] = "auto",
) -> None:
    """Train the classifier that RelSync and AlignSync ask, as the predecessor trained its own. Stopped, it goes on.

    Then: clapboard evaluate RUN --metrics relsync --weights relsync=OUT
    """
    from flows.cli.show import progress
    from training.evaluate.benchmarks import open_benchmark
    from training.evaluate.sync_training import SyncTraining, train_classifier
    from training.parallel import chosen_device

    sources = open_benchmark("folder", data, where=where_of(where)).sources
    settings = SyncTraining(steps=steps, shifts=shifts, side_px=size, seed=seed)
    with progress("classifier") as advance:
        train_classifier(sources, out, settings, device=chosen_device(device), progress=advance)
    typer.echo(f"the classifier is in {out}: clapboard evaluate RUN --metrics relsync --weights relsync={out}")


def where_of(given: str) -> tuple[str, str] | None:
    """ "COLUMN=VALUE" in two."""
    column, _, value = given.partition("=")
    return (column, value) if column and value else None


def _with(cut: Any, per_video: int, rate_hz: int) -> Any:
    from dataclasses import replace

    return replace(cut, per_video=per_video, rate_hz=rate_hz)


def _show(said: "Evaluation", folder: Path) -> None:
    from flows.cli.show import table
    from flows.evaluation.job import PAGE
    from flows.evaluation.page import figure_rows

    head, *rows = figure_rows(said.metrics)
    table(f"{said.player} on {said.benchmark}: {said.cut}", head, rows)
    for name, why in said.skipped.items():
        typer.secho(f"note: {name} was left out: {why}", fg=typer.colors.YELLOW, err=True)
    typer.echo(f"page: {folder / PAGE}")
