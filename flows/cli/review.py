"""`clapboard review`: the queue of flagged clips, on the terminal or in a browser."""

import getpass
from typing import Annotated

import typer

from flows.cli.options import HomeOption, JsonOption, RecipeOption, home_of, recipe_of

app = typer.Typer(no_args_is_help=True, help="Look at flagged clips and say yes or no.")

ClipArgument = Annotated[list[str], typer.Argument(metavar="CLIP...", help="Clip ids as `review list` shows them.")]
ReviewerOption = Annotated[str, typer.Option("--reviewer", help="Who says so.", show_default="your user name")]


@app.command("list")
def list_(
    home: HomeOption = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that have a verdict.")] = False,
    json: JsonOption = False,
) -> None:
    """The clips that wait for a person, the most uncertain first."""
    from dataclasses import asdict

    from curation.review.queue import flagged
    from flows.cli.show import print_json, table

    with home_of(home).ledger() as ledger:
        items = flagged(ledger, waiting_only=not every)
    if json:
        for item in items:
            print_json(asdict(item))
        return
    rows = [
        [
            item.clip_id,
            item.label,
            f"{item.start_us / 1e6:.2f}-{item.end_us / 1e6:.2f}",
            f"{item.p_good:.2f}",
            ", ".join(item.reasons),
            item.verdict or "waiting",
            item.link,
        ]
        for item in items
    ]
    table(f"{len(items)} clips", ["clip", "label", "seconds", "P(good)", "why", "verdict", "link"], rows)


@app.command()
def accept(clips: ClipArgument, home: HomeOption = None, reviewer: ReviewerOption = "") -> None:
    """Say yes to clips: they go into the next `curated` snapshot."""
    from curation.review.queue import Verdict, record

    with home_of(home).ledger() as ledger:
        record(ledger, clips, Verdict.ACCEPT, reviewer=reviewer or getpass.getuser())
    typer.echo(f"accepted {len(clips)}")


@app.command()
def reject(
    clips: ClipArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why; a wrong word lists the right ones.")],
    home: HomeOption = None,
    reviewer: ReviewerOption = "",
) -> None:
    """Say no to clips, with a reason."""
    from curation.review.queue import RejectReason, Verdict, record
    from shards.errors import BadInput

    if reason not in set(RejectReason):
        raise BadInput(f"{reason!r} is no reason", remedy=f"one of: {', '.join(RejectReason)}")
    with home_of(home).ledger() as ledger:
        record(ledger, clips, Verdict.REJECT, reviewer=reviewer or getpass.getuser(), reason=RejectReason(reason))
    typer.echo(f"rejected {len(clips)}")


@app.command()
def serve(
    home: HomeOption = None,
    recipe: RecipeOption = None,
    port: Annotated[int, typer.Option("--port", help="Port of the loopback.")] = 8420,
    reviewer: ReviewerOption = "",
) -> None:
    """The review page in a browser, on this machine only; the link it prints lets you in once."""
    from curation.review.serve import serve as run_server

    run_server(
        home_of(home),
        port=port,
        reviewer=reviewer or getpass.getuser(),
        settings=recipe_of(recipe).cut,
        announce=lambda url: typer.echo(f"open {url}   (Ctrl-C stops)"),
    )
