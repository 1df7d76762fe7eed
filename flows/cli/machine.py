"""`clapboard demo`, `doctor`, `serve`."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import HomeOption, JsonOption, home_of

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


def doctor(home: HomeOption = None, json: JsonOption = False) -> None:
    """What this machine has and lacks, each lack with the command that mends it; exit code 3 if work is blocked."""
    from dataclasses import asdict

    from flows.cli.show import print_json, table
    from flows.doctor import examine

    findings = examine(home_of(home))
    if json:
        for finding in findings:
            print_json(asdict(finding))
    else:
        rows = [[one.part, one.state, one.found, one.remedy] for one in findings]
        table("this machine", ["part", "state", "found", "remedy"], rows)
    if any(one.state == "blocked" for one in findings):
        raise typer.Exit(3)


def serve(
    home: HomeOption = None,
    port: Annotated[int, typer.Option("--port", help="Port of the loopback; 0 takes a free one.")] = 4200,
) -> None:
    """The Prefect server of a home, with its UI; Ctrl-C stops it. Other commands use it while it runs."""
    from flows.server import free_port, next_commands, start_server, stop_server

    place = home_of(home)
    process, url = start_server(place, port=port or free_port())
    typer.echo(f"Prefect UI: {url.removesuffix('/api')}   (Ctrl-C stops)")
    typer.echo("\nIts deployments, from another terminal in the folder of prefect.yaml:\n")
    for command in next_commands(url):
        typer.echo(f"    {command}")
    try:
        process.wait()
    finally:
        stop_server(process, place)
