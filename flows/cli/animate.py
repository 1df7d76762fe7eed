"""`clapboard animate`: an image and a sound, a table of them, or a page in the browser."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.default_command import by_default
from flows.cli.options import HomeOption, home_of
from flows.cli.train import warn
from shards.errors import BadInput

if TYPE_CHECKING:
    from training.animate.animator import Animator
    from training.animate.batch import RowOutcome
    from training.animate.make import Job

_VIDEO = "video"


app = typer.Typer(
    cls=by_default(_VIDEO, help_too=True),
    no_args_is_help=True,
    help="Animate an image in time with a sound; `animate serve` is a page in the browser.",
)

RunOption = Annotated[
    Path | None,
    typer.Option(
        "--run", help="A run's folder or an adapter's; by default the home's newest run, else the adapter that ships."
    ),
]
WeightsOption = Annotated[
    Path | None, typer.Option("--weights", help="The generator's frozen weights, if they moved since training.")
]
DeviceOption = Annotated[str, typer.Option("--device", help="cpu, cuda, or auto for a GPU where there is one.")]
OffloadOption = Annotated[
    bool, typer.Option("--offload", help="Keep on the GPU only what is computing: less memory, more time.")
]


@app.command(_VIDEO)
def video(
    image: Annotated[Path | None, typer.Argument(help="PNG or JPEG.", show_default=False)] = None,
    sound: Annotated[
        Path | None, typer.Argument(help="WAV, FLAC, MP3, or a video for its sound; any length.", show_default=False)
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The MP4 to write; with --batch the folder of videos.")
    ] = Path("animation.mp4"),
    run: RunOption = None,
    caption: Annotated[str, typer.Option("--caption", help="What the image shows, in the training's words.")] = "",
    negative: Annotated[str, typer.Option("--negative", help="What the video should not show.")] = "",
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, help="Steps from noise to data; the backbone's by default.")
    ] = None,
    guidance: Annotated[
        float | None,
        typer.Option("--guidance", min=0, help="How much the words count; 1: no more than they do by themselves."),
    ] = None,
    audio_guidance: Annotated[
        float, typer.Option("--audio-guidance", min=0, help="How much the sound counts; 0: not at all.")
    ] = 2.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another seed, another motion.")] = 0,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="So many videos, from --seed on.")] = 1,
    scheduler: Annotated[
        str, typer.Option("--scheduler", help="own (the backbone's), unipc or dpm++, which need fewer steps.")
    ] = "own",
    grid: Annotated[
        str, typer.Option("--grid", metavar="A,B,..", help="One video with a cell for each guidance by sound.")
    ] = "",
    grid_words: Annotated[
        str, typer.Option("--grid-words", metavar="A,B,..", help="With --grid, a line for each guidance by words.")
    ] = "",
    batch: Annotated[
        Path | None,
        typer.Option("--batch", help="A CSV with columns image, sound and, if wanted, caption, out, seed."),
    ] = None,
    device: DeviceOption = "auto",
    weights: WeightsOption = None,
    offload: OffloadOption = False,
    home: HomeOption = None,
) -> None:
    """Animate an image in time with a sound. The video is as long as the sound, and all settings lie beside it as JSON.

    A table of many goes on where it stopped; OUT/outcomes.csv says how each row ended.
    """
    from training.animate.make import Job
    from training.animate.settings import SampleSettings, Scheduler

    if scheduler not in set(Scheduler):
        raise BadInput(f"there is no scheduler {scheduler!r}", remedy=f"one of: {', '.join(Scheduler)}")
    settings = SampleSettings(steps, audio_guidance, guidance, seed, negative, Scheduler(scheduler))
    if (batch is None) == (image is None or sound is None) or (batch and (image or sound)):
        raise BadInput("what to animate?", remedy="name an image and a sound, or a table: --batch FILE.csv")
    if seeds > 1 and (grid or batch):
        raise BadInput("--seeds goes with neither --grid nor --batch", remedy="give a table a column `seed`")
    if grid_words and not grid:
        raise BadInput("--grid-words without --grid", remedy="name the guidance by sound too: --grid 0,1,2,4")
    scales, words = _numbers(grid, "--grid"), _numbers(grid_words, "--grid-words")
    animator = _animator(run, home, device=device, weights=weights, offload=offload)
    if batch is not None:
        folder = Path() if out == Path("animation.mp4") else out
        _batch(animator, batch, folder, settings=settings, caption=caption)
        return
    assert image is not None and sound is not None
    job = Job(image, sound, out, caption, settings)
    if scales:
        _grid(animator, job, scales, words)
        return
    for number in range(seeds):
        chosen = replace(settings, seed=seed + number)
        named = out.with_name(f"{out.stem}-{chosen.seed}{out.suffix}") if seeds > 1 else out
        _one(animator, replace(job, out=named, settings=chosen))


def run_of(run: Path | None, home: Path | None) -> Path:
    """The run that was named, the newest of the home, or, where nobody trained yet, the adapter that ships."""
    from training.animate.shipped import shipped_adapter
    from training.stages.result import newest_run

    if run is not None:
        return run
    try:
        return newest_run(home_of(home).training)
    except BadInput as none:
        warn(f"{none}: this is the adapter that ships, which knows drawn pictures (clapboard world draw FOLDER)")
        return shipped_adapter()


def _animator(run: Path | None, home: Path | None, *, device: str, weights: Path | None, offload: bool) -> "Animator":
    from training.animate.animator import Animator
    from training.backbones import NOTICES

    animator = Animator(run_of(run, home), device=device, weights=weights, offload=offload)
    warn(NOTICES.get(animator.name, ""))
    return animator


def _one(animator: "Animator", job: "Job") -> None:
    from flows.cli.show import progress
    from training.animate.make import make_video

    with progress("animating") as advance:
        made = make_video(animator, job, progress=advance)
    typer.echo(str(made.out))


def _grid(animator: "Animator", job: "Job", scales: tuple[float, ...], words: tuple[float, ...]) -> None:
    from flows.cli.show import progress
    from training.animate.grid import write_grid

    with progress("animating") as advance:
        made = write_grid(animator, job, audio_scales=scales, word_scales=words, progress=advance)
    typer.echo(str(made))


def _batch(animator: "Animator", table: Path, folder: Path, *, settings: Any, caption: str) -> None:
    from flows.cli.show import progress, visible
    from training.animate.batch import OUTCOMES, read_rows, run_batch

    count, done = len(read_rows(table)), 0
    with progress("animating") as advance:

        def tell(row: "RowOutcome") -> None:
            nonlocal done
            done += 1
            advance(done, count, f"{row.out}: {row.outcome}")
            if not row.outcome.good:
                typer.echo(f"row {row.row}: {row.outcome}: {visible(row.why)}", err=True)

        found = run_batch(animator, table, folder, settings=settings, caption=caption, tell=tell)
    good = sum(row.outcome.good for row in found)
    typer.echo(f"{good} of {len(found)} videos are in {folder}; {folder / OUTCOMES} says how each row ended")
    if good < len(found):
        raise typer.Exit(1)


def _numbers(text: str, option: str) -> tuple[float, ...]:
    try:
        found = tuple(float(one) for one in text.split(",")) if text else ()
    except ValueError as error:
        raise BadInput(f"{option} {text} holds something that is no number", remedy=f"{option} 0,1,2,4") from error
    if any(not 0 <= one < float("inf") for one in found):
        raise BadInput(f"{option} {text} holds what is no guidance", remedy=f"{option} 0,1,2,4")
    return found


@app.command()
def serve(
    run: RunOption = None,
    port: Annotated[int, typer.Option("--port", help="0 takes a free one.")] = 8421,
    host: Annotated[
        str, typer.Option("--host", help="An address of this machine; at others than loopback anybody may come.")
    ] = "127.0.0.1",
    device: DeviceOption = "auto",
    weights: WeightsOption = None,
    offload: OffloadOption = False,
    home: HomeOption = None,
) -> None:
    """A page to try it in the browser: pick an example, or drop an image and a sound; the microphone records one.

    The page asks no other host for anything and keeps nothing: what was uploaded and made goes when it stops (Ctrl-C).
    It needs gradio: pip install 'clapboard[page]'.
    """
    from training.animate.page.serve import serve_page

    animator = _animator(run, home, device=device, weights=weights, offload=offload)
    serve_page(
        animator,
        host=host,
        port=port,
        announce=lambda url: typer.echo(f"open {url}   (Ctrl-C stops)"),
        warn=lambda words: typer.echo(words, err=True),
    )
