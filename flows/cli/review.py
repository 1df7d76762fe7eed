"""`clapboard review`: the queue of flagged clips, on the terminal or in a browser."""

import getpass
import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import HomeOption, JsonOption, RecipeOption, home_of, recipe_of

if TYPE_CHECKING:
    from curation.home.folder import Home
    from curation.review.progress import Progress

app = typer.Typer(no_args_is_help=True, help="Look at flagged clips and say yes or no.")

ClipArgument = Annotated[list[str], typer.Argument(metavar="CLIP...", help="Clip ids as `review list` shows them.")]
ReviewerOption = Annotated[str, typer.Option("--reviewer", help="Who says so.", show_default="your user name")]


@app.command("list")
def list_(
    home: HomeOption = None,
    recipe: RecipeOption = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that have a verdict.")] = False,
    json: JsonOption = False,
) -> None:
    """The clips that wait for a person, those whose answer is worth most first."""
    from dataclasses import asdict

    from curation.review.queue import enrol, flagged
    from flows.cli.show import print_json, table

    with home_of(home).ledger(must_exist=True) as ledger:
        enrol(ledger, recipe_of(recipe).review)
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
    from curation.review.answers import record
    from curation.verdicts.answers import Verdict

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
    from curation.review.answers import record
    from curation.verdicts.answers import RejectReason, Verdict
    from shards.errors import BadInput

    if reason not in set(RejectReason):
        raise BadInput(f"{reason!r} is no reason", remedy=f"one of: {', '.join(RejectReason)}")
    with home_of(home).ledger() as ledger:
        record(ledger, clips, Verdict.REJECT, reviewer=reviewer or getpass.getuser(), reason=RejectReason(reason))
    typer.echo(f"rejected {len(clips)}")


@app.command()
def gold(
    clips: ClipArgument,
    no: Annotated[bool, typer.Option("--no", help="No longer.")] = False,
    home: HomeOption = None,
) -> None:
    """Let the answer that counts on clips be what reviewers are measured by; they get them mixed in, unknowing."""
    from curation.review.answers import make_golden

    with home_of(home).ledger() as ledger:
        make_golden(ledger, clips, golden=not no)
    typer.echo(f"{len(clips)} clips {'no longer ' if no else ''}measure reviewers")


@app.command()
def progress(home: HomeOption = None, recipe: RecipeOption = None, json: JsonOption = False) -> None:
    """How far the queue is, what each class has, and whether enough is known to stop."""
    from dataclasses import asdict

    from curation.review.progress import progress as read
    from curation.review.queue import enrol
    from curation.review.words import ENOUGH, share_between
    from flows.cli.show import print_json, table

    settings = recipe_of(recipe).review
    with home_of(home).ledger(must_exist=True) as ledger:
        enrol(ledger, settings)
        found = read(ledger, settings)
    if json:
        print_json(asdict(found))
        return
    rows = [
        [one.label or "no class", one.accepted, one.target or "all", one.rejected, one.waiting] for one in found.classes
    ]
    table("classes", ["class", "accepted", "wanted", "rejected", "waiting"], rows)
    typer.echo(f"{found.waiting} wait, {found.disputed} of them in dispute; {found.done} answered")
    audited = share_between(found.precision.value, found.precision.low, found.precision.high)
    typer.echo(f"accepted unseen and checked: {audited or 'none checked yet'} good")
    if found.enough:
        typer.echo(f"{ENOUGH[found.enough]} About {found.saved} answers fewer than in a random order.")


@app.command("export")
def export_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .csv, .parquet or .json (Label Studio) file.")],
    home: HomeOption = None,
    recipe: RecipeOption = None,
    media: Annotated[
        str, typer.Option("--media", help="Label Studio: where its server finds ID.mp4, such as a URL prefix.")
    ] = "",
) -> None:
    """Write all answers to a table, or the queue with its answers as Label Studio tasks."""
    from curation.review.label_studio import export_tasks
    from curation.review.queue import enrol
    from curation.review.tables import export_answers

    with home_of(home).ledger(must_exist=True) as ledger:
        enrol(ledger, recipe_of(recipe).review)
        count = export_tasks(ledger, file, media=media) if file.suffix == ".json" else export_answers(ledger, file)
    typer.echo(f"{count} written to {file}")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `export` or Label Studio wrote.")],
    home: HomeOption = None,
    recipe: RecipeOption = None,
) -> None:
    """Take in answers that were given elsewhere; those that are here already are not taken twice."""
    from curation.review.label_studio import import_tasks
    from curation.review.tables import import_answers

    settings = recipe_of(recipe).review
    with home_of(home).ledger() as ledger:
        read = import_tasks if file.suffix == ".json" else import_answers
        fresh, known = read(ledger, file, settings)
    typer.echo(f"{fresh} new answers, {known} known ones")


account = typer.Typer(no_args_is_help=True, help="Who may sign in where the page is served to a team.")
app.add_typer(account, name="account")


@account.command("add")
def add_account(
    name: Annotated[str, typer.Argument(help="The reviewer's name.")],
    home: HomeOption = None,
    password: Annotated[
        str,
        typer.Option("--password", envvar="CLAPBOARD_PASSWORD", prompt=True, confirmation_prompt=True, hide_input=True),
    ] = "",
) -> None:
    """Add an account, or give it a new password. It is asked for, or read from CLAPBOARD_PASSWORD."""
    from curation.review.access import add_account as add

    with home_of(home).ledger() as ledger:
        add(ledger, name, password)
    typer.echo(f"{name} may sign in")


@account.command("list")
def list_accounts(home: HomeOption = None) -> None:
    """Who may sign in."""
    from curation.review.access import account_names

    with home_of(home).ledger(must_exist=True) as ledger:
        for name in account_names(ledger):
            typer.echo(name)


@account.command("remove")
def remove_account(name: Annotated[str, typer.Argument(help="The reviewer's name.")], home: HomeOption = None) -> None:
    """Remove an account; its answers stay."""
    from curation.review.access import remove_account as remove

    with home_of(home).ledger() as ledger:
        remove(ledger, name)
    typer.echo(f"{name} may no longer sign in")


@app.command()
def serve(
    home: HomeOption = None,
    recipe: RecipeOption = None,
    port: Annotated[int, typer.Option("--port", help="0 takes a free one.")] = 8420,
    reviewer: ReviewerOption = "",
    host: Annotated[
        str, typer.Option("--host", help="An address of this machine; not only loopback needs accounts.")
    ] = "127.0.0.1",
    proxy_header: Annotated[
        str, typer.Option("--proxy-header", help="A header in which a reverse proxy names who it signed in.")
    ] = "",
    proxy: Annotated[list[str] | None, typer.Option("--proxy", help="The proxy's address or network.")] = None,
    proxy_secret: Annotated[
        str,
        typer.Option(
            "--proxy-secret",
            envvar="CLAPBOARD_PROXY_SECRET",
            help="What the proxy shows in the header X-Clapboard-Proxy-Secret with each request, 16 characters or "
            "more; nobody is believed without it. Others on this machine cannot read it in the variable.",
        ),
    ] = "",
    name: Annotated[
        list[str] | None,
        typer.Option(
            "--name",
            help="A host name that browsers ask for, such as reviews.example.org, or that the proxy passes on; "
            "addresses, this machine's own name and the host of the recipe's review.page are known.",
        ),
    ] = None,
    certificate: Annotated[Path | None, typer.Option("--tls-certificate", help="A PEM file, for https.")] = None,
    key: Annotated[Path | None, typer.Option("--tls-key", help="Its key.")] = None,
    socket: Annotated[
        Path | None,
        typer.Option(
            "--socket",
            help="Listen on a Unix socket, for a proxy on this machine, and at no port. Its file is yours alone, "
            "which is proof enough that it is the proxy: --proxy-header needs no --proxy and no secret then.",
        ),
    ] = None,
    socket_group: Annotated[
        str, typer.Option("--socket-group", help="A group that may connect to the socket too, the proxy's.")
    ] = "",
) -> None:
    """The review page in a browser. On this machine the printed link lets you in once; a team signs in.

    Behind a proxy that signs people in: --proxy-header with --socket, or with --proxy and a secret that the proxy
    shows (--proxy-secret).
    """
    from curation.review.serve import Place
    from curation.review.serve import serve as run_server

    place_of_work, named = home_of(home), ["--recipe", recipe] if recipe else []
    where = ["--home", str(place_of_work.root), *named]
    run_server(
        place_of_work,
        reviewer=reviewer or getpass.getuser(),
        recipe=recipe_of(recipe),
        next_commands=[shlex.join(["clapboard", command, *where]) for command in ("publish", "calibrate")],
        on_enough=partial(_tell, place_of_work),
        announce=lambda url: typer.echo(f"{'a proxy passes on to' if socket else 'open'} {url}   (Ctrl-C stops)"),
        warn=partial(typer.echo, err=True),
        place=Place(
            host,
            port,
            proxy_header,
            tuple(proxy or ()),
            certificate,
            key,
            proxy_secret,
            tuple(name or ()),
            socket=socket,
            socket_group=socket_group,
        ),
    )


def _tell(home: "Home", queue: "Progress") -> None:
    """Emit that enough is known; where the server that is named does not hear it, the page goes on."""
    from flows.events import tell_target_reached
    from shards.errors import Unavailable

    try:
        tell_target_reached(home, queue)
    except Unavailable as lack:
        typer.echo(f"warning: enough is known, and no flow was told: {lack}", err=True)
