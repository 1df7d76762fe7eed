"""`clapboard metrics`: what a home looks like now, for Prometheus."""

from typing import Annotated

import typer

from flows.cli.options import HomeOption, RecipeOption, home_of, recipe_of


def metrics(
    home: HomeOption = None,
    recipe: RecipeOption = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = 9464,
    host: Annotated[
        str, typer.Option("--host", help="Whom to answer: this machine alone by default. There is no password.")
    ] = "127.0.0.1",
    once: Annotated[bool, typer.Option("--once", help="Print them and end, for a textfile collector say.")] = False,
) -> None:
    """Serve clips by outcome, the review queue, disk, seconds a clip and training to Prometheus; Ctrl-C ends.

    deploy/prometheus.yml asks for them, deploy/grafana/clapboard.json draws them.
    """
    from prometheus_client import generate_latest

    from flows.metrics import registry_of

    place = home_of(home)
    registry = registry_of(place, recipe_of(recipe).review)
    # A home that cannot be read is said now, and not to whoever asks later.
    shown = generate_latest(registry).decode()
    if once:
        typer.echo(shown, nl=False)
        return
    from prometheus_client import start_http_server

    from shards.errors import BadInput

    try:
        server, thread = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise BadInput(f"cannot listen on {host}:{port}: {error.strerror}", remedy="name another --port") from error
    typer.echo(f"http://{host}:{server.server_port}/metrics   (Ctrl-C stops)")
    try:
        thread.join()
    finally:
        server.shutdown()
