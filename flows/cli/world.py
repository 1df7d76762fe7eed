"""`clapboard world`: drawn films with exact truth, and the small generator that is pretrained on them."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import SetOption

app = typer.Typer(no_args_is_help=True, help="Drawn films with exact truth, and the generator pretrained on them.")


@app.command("draw")
def draw_command(
    out: Annotated[Path, typer.Argument(help="The folder for the films.", file_okay=False)],
    count: Annotated[int, typer.Option("--count", min=1, help="How many films.")] = 12,
    split: Annotated[str, typer.Option("--split", help="train or evaluation; they share no film.")] = "evaluation",
    seconds: Annotated[float, typer.Option("--seconds", min=1, help="Length of a film.")] = 4.0,
    size: Annotated[int, typer.Option("--size", min=64, help="Height and width in pixels, even.")] = 256,
    web: Annotated[
        bool, typer.Option("--web", help="With the faults of a crawl: swapped, late, narrated, cut; faults.json.")
    ] = False,
) -> None:
    """Draw films to look at, or to curate: MP4 files, a table of sources, and when each strikes in events.json.

    Then: clapboard curate OUT/sources.csv
    """
    from flows.cli.show import progress
    from shards.errors import BadInput
    from training.world import Split
    from training.world.folder import SOURCES, draw_folder

    if split not in list(Split):
        raise BadInput(f"there is no split {split!r}", remedy=f"--split {' or '.join(Split)}")
    with progress("drawing") as advance:
        draw_folder(out, count, split=Split(split), duration_s=seconds, size_px=size, web=web, progress=advance)
    typer.echo(f"{count} films in {out}; curate them: clapboard curate {out / SOURCES}")


@app.command()
def pretrain(
    out: Annotated[Path, typer.Argument(help="The folder for the weights: vae/, transformer/.", file_okay=False)],
    work: Annotated[
        Path | None, typer.Option("--work", help="Films and checkpoints; OUT.work by default.", file_okay=False)
    ] = None,
    settings: SetOption = [],  # noqa: B006 (typer copies it)
    device: Annotated[str, typer.Option("--device", help="cpu, cuda, or auto for cuda where there is one.")] = "auto",
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes that draw films.")] = 2,
) -> None:
    """Train the small generator that comes with the package anew: films, codec, network. Stopped, it goes on.

    The defaults take about two hours on two cores. A run of another size: --set codec.drawn=200 --set codec.steps=500
    --set steps=500. Use the weights with --backbone drawn --set weights=OUT.
    """
    from flows.cli.show import bars
    from training.parallel import chosen_device
    from training.pretrain import pretrain_world, read_pretrain_settings

    chosen = read_pretrain_settings(tuple(settings))
    with bars() as show:
        pretrain_world(
            out,
            work=work or out.with_name(f"{out.name}.work"),
            settings=chosen,
            device=chosen_device(device),
            workers=workers,
            progress=show,
        )
    typer.echo(
        f"codec and generator in {out}; use them: clapboard train --backbone drawn --set weights={out.absolute()}"
    )
