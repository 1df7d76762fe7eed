"""`clapboard demo`, `doctor`, `serve`."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import HomeOption, JsonOption, home_of

if TYPE_CHECKING:
    from curation.home.folder import Home

DemoHomeOption = Annotated[
    Path, typer.Option("--home", help="Folder of the demo's data; a second run goes on from it.", file_okay=False)
]


def demo(
    home: DemoHomeOption = Path("demo-output"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete the folder first.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Train for a moment only: the path, not the result.")] = False,
) -> None:
    """The whole journey on drawn videos with known faults: curate, review, train twice, animate, report."""
    from flows.demo.run import run_demo

    run_demo(home.absolute(), fresh=fresh, quick=quick)


def doctor(
    home: HomeOption = None,
    training: Annotated[
        bool,
        typer.Option(
            "--training", help="Load every set of weights for training that is here, take a step, make a sample."
        ),
    ] = False,
    weights: Annotated[
        list[str], typer.Option("--weights", metavar="NAME=FOLDER", help="With --training: weights that lie elsewhere.")
    ] = [],  # noqa: B006 (typer copies it)
    device: Annotated[str, typer.Option("--device", help="With --training: cpu, cuda, or auto.")] = "auto",
    mend: Annotated[
        bool,
        typer.Option(
            "--mend",
            help="On the Prefect server that runs: mark runs whose worker is gone as crashed, make missing pools and "
            "deployments.",
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """What this machine and its Prefect server have and lack, each lack with the command that mends it.

    Exit code 3 if work is blocked.
    """
    from dataclasses import asdict

    from flows.cli.show import print_json, table
    from flows.doctor import examine

    if training:
        from flows.doctor_training import examine_training, named_folders

        findings = list(examine_training(named_folders(weights), device=device))
    else:
        if mend:
            _mend(home_of(home))
        findings = examine(home_of(home))
    if json:
        for finding in findings:
            print_json(asdict(finding))
    else:
        rows = [[one.part, one.state, one.found, one.remedy] for one in findings]
        table("this machine", ["part", "state", "found", "remedy"], rows)
    if any(one.state == "blocked" for one in findings):
        raise typer.Exit(3)


def _mend(home: "Home") -> None:
    from flows.operate.mend import mend_server

    if not mend_server(home, say=lambda done: typer.echo(done, err=True)):
        typer.echo("no Prefect server answers, so there is nothing to mend: clapboard up", err=True)


def serve(
    home: HomeOption = None,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port of the loopback; 0 takes a free one.")
    ] = 4200,
) -> None:
    """The Prefect server of a home alone, with its UI; Ctrl-C stops it. Other commands use it while it runs."""
    from flows.operate.by_hand import WORKERS, next_commands
    from flows.server import free_port, last_line, log_of, start_server, stop_server
    from shards.errors import Unavailable

    place = home_of(home)
    server, url = start_server(place, port=port or free_port())
    try:
        typer.echo(f"Prefect UI: {url.removesuffix('/api')}   (Ctrl-C stops; `clapboard up` also works)")
        typer.echo("\nIts deployments by hand, from another terminal in the folder of prefect.yaml:\n")
        _say(next_commands(url))
        typer.echo(
            "\nWho runs them, each in a terminal of its own after the first line; the second where the GPU is:\n"
        )
        _say(WORKERS)
        server.process.wait()
    finally:
        stop_server(server, place)
    log = log_of(place)
    raise Unavailable(f"the Prefect server ended by itself: {last_line(log)}", remedy=f"read {log}")


def _say(commands: Iterable[str]) -> None:
    for command in commands:
        typer.echo(f"    {command}")
