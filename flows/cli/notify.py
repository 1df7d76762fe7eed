"""`clapboard notify`: who is told when a run fails, or when clips wait for a person."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from flows.cli.options import HomeOption, JsonOption, home_of

app = typer.Typer(
    no_args_is_help=True, help="Who is told when a run of a deployment fails, and when clips wait for a person."
)

NameArgument = Annotated[str, typer.Argument(help="Of a channel, as `list` shows it.")]


@app.command()
def add(
    kind: Annotated[str, typer.Argument(help="slack, webhook or mail.")],
    url: Annotated[
        str,
        typer.Argument(
            help="Slack's incoming webhook; where {subject, text} is posted as JSON; or "
            "mailtos://NAME:PASSWORD@SMTP-HOST?to=ADDRESS. `-` reads it from standard input: no history keeps it."
        ),
    ],
    name: Annotated[str, typer.Option("--name", help="What it is called; by default as its kind.")] = "",
    home: HomeOption = None,
) -> None:
    """Add a channel, or change the one of that name; its address is kept by the Prefect server, and never shown."""
    from flows.operate.notify import Channel, add_channel
    from shards.errors import BadInput

    if kind not in list(Channel):
        raise BadInput(f"there is no kind {kind!r}", remedy=f"one of: {', '.join(Channel)}")
    address = sys.stdin.readline().strip() if url == "-" else url
    with _server(home):
        add_channel(Channel(kind), address, name=name or kind)
    typer.echo(f"{name or kind}: is told; try it: clapboard notify test {name or kind}")


@app.command("list")
def list_(home: HomeOption = None, json: JsonOption = False) -> None:
    """The channels, and what each is told of."""
    from dataclasses import asdict

    from flows.cli.show import print_json, table
    from flows.operate.notify import channels

    with _server(home):
        found = channels()
    if json:
        for one in found:
            print_json(asdict(one))
        return
    rows = [
        [
            one.name,
            one.kind,
            ", ".join(f"{what} ({'on' if on else 'off'})" for what, on in one.occasions.items()) or "-",
        ]
        for one in found
    ]
    table("who is told", ["name", "kind", "of"], rows)


@app.command()
def remove(name: NameArgument, home: HomeOption = None) -> None:
    """Forget a channel."""
    from flows.operate.notify import remove_channel

    with _server(home):
        remove_channel(name)
    typer.echo(f"{name}: is told no more")


@app.command()
def test(name: NameArgument, home: HomeOption = None) -> None:
    """Send a message through a channel, from this machine."""
    from flows.operate.notify import send_test

    with _server(home):
        send_test(name)
    typer.echo(f"{name}: a message was sent")


@contextmanager
def _server(home: HomeOption) -> Iterator[str]:
    """The Prefect server of a home for the length of the block.

    Raises:
        Unavailable: none answers.
    """
    from flows.server import known_server
    from shards.errors import Unavailable

    with known_server(home_of(home)) as url:
        if url is None:
            raise Unavailable("no Prefect server answers; it keeps who is told", remedy="clapboard up")
        yield url
