"""`clapboard up`, `down`, `status`: a home's server, workers and review page as one."""

from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli import Terminated
from flows.cli.options import HomeOption, JsonOption, home_of

if TYPE_CHECKING:
    from flows.operate.status import Status

OnlyOption = Annotated[
    list[str],
    typer.Option(
        "--only",
        metavar="PART",
        help="server, workers (or curation, training alone), review; may be given many times. On several machines "
        "each runs its own, and PREFECT_API_URL names the server.",
    ),
]


def up(
    home: HomeOption = None,
    only: OnlyOption = [],  # noqa: B006 (typer copies it)
    host: Annotated[
        str, typer.Option("--host", help="The server's address; others than loopback need a password.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="The server's port; 0 takes a free one.")
    ] = 4200,
    review_host: Annotated[
        str, typer.Option("--review-host", help="The review page's address; others than loopback need accounts.")
    ] = "127.0.0.1",
    review_port: Annotated[
        int, typer.Option("--review-port", min=0, max=65535, help="The review page's port; 0 takes a free one.")
    ] = 8420,
    nightly: Annotated[
        bool | None,
        typer.Option(
            "--nightly/--no-nightly", help="Switch the nightly curation of the standing sources on or off.",
            show_default="as it is",
        ),
    ] = None,
    grace: Annotated[
        float, typer.Option("--grace", min=0.1, help="Seconds that runs have to save what they have, when it ends.")
    ] = 4.0,
) -> None:  # fmt: skip
    """Start the Prefect server, deployments, workers and review page, and mind them; Ctrl-C or `down` ends all.

    What dies is started again. Run it again after anything: deployments are made anew where they are gone, and stay as
    you changed them where they are there.
    """
    from flows.operate.parts import parts_of
    from flows.operate.up import Wanted, run_up

    wanted = Wanted(
        parts_of(only),
        host=host,
        port=port,
        review_host=review_host,
        review_port=review_port,
        nightly=nightly,
        grace_s=grace,
    )
    try:
        run_up(home_of(home), wanted, say=typer.echo)
    except (Terminated, KeyboardInterrupt):
        typer.echo("all is down")


def down(
    home: HomeOption = None,
    only: OnlyOption = [],  # noqa: B006 (typer copies it)
) -> None:
    """Stop what `clapboard up` runs for a home on this machine; a run that is at work goes on when started again."""
    from flows.operate.hold import holders, stop
    from flows.operate.parts import parts_of

    place, parts = home_of(home), parts_of(only)
    running = {part: note for part, note in holders(place).items() if part in parts}
    if not running:
        typer.echo(f"nothing runs for {place.root} on this machine")
        return
    for part, note in running.items():
        how = "" if stop(place, part, note, within_s=STOP_S) else ", killed: it did not end by itself"
        typer.echo(f"{part}: down{how}")


STOP_S = 60.0
"""Far longer than it takes, unless `up --grace` gives more."""


def status(
    home: HomeOption = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Exit code 1 if there is trouble, such as a last run that failed."),
    ] = False,
    json: JsonOption = False,
) -> None:
    """What runs for a home: parts here, workers, deployments with their schedules and last runs, runs now."""
    from dataclasses import asdict

    from flows.cli.show import print_json
    from flows.operate.status import status_of

    found = status_of(home_of(home))
    if json:
        print_json(asdict(found))
    else:
        _show(found)
    if check and found.troubles:
        raise typer.Exit(1)


def _show(found: "Status") -> None:
    from flows.cli.show import table

    rows = [[one.part, f"process {one.pid}" if one.pid else "-", one.since, one.url] for one in found.parts]
    table(f"{found.home}, on this machine", ["part", "runs as", "since", "where"], rows)
    if found.server:
        typer.echo(f"Prefect server: {found.server}")
    if found.workers:
        rows = [[one.pool, one.name, one.state, one.seen] for one in found.workers]
        table("workers of that server", ["pool", "name", "state", "last seen"], rows)
    if found.deployments:
        rows = [[one.name, ", ".join(map(str, one.schedules)), one.last, one.last_at] for one in found.deployments]
        table("deployments", ["deployment", "schedules", "last run", "when"], rows)
    if found.runs:
        rows = [[one.name, one.deployment, one.state, one.since, one.worker] for one in found.runs]
        table("runs now", ["run", "deployment", "state", "since", "worker"], rows)
    for trouble in found.troubles:
        typer.echo(f"trouble: {trouble}")
