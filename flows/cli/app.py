"""The command tree. Each command's work is imported when it is called, so `clapboard --help` is quick."""

from importlib.metadata import version as installed_version

import typer

from flows.cli import (
    animate,
    bench,
    calibrate,
    curate,
    data,
    evaluate,
    keep,
    machine,
    metrics,
    notify,
    operate,
    review,
    sources,
    study,
    train,
    world,
)

app = typer.Typer(
    name="clapboard",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Noisy web video in; audio-synchronised training data, and a model that animates an image with a sound, out."
    "\n\nStart with `clapboard demo`: it runs the whole journey on drawn videos in a few minutes.",
    epilog="Data lies in --home, by default $CLAPBOARD_HOME or the XDG data folder. Exit codes: 0 done, 1 failed, "
    "2 bad input, 3 something is missing on this machine, 4 a snapshot is wrong, 5 training must not go on.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(installed_version("clapboard"))
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Options that every command has."""


app.command(rich_help_panel="The journey")(machine.demo)
app.command(rich_help_panel="The journey")(curate.curate)
app.add_typer(sources.app, name="sources", rich_help_panel="The journey")
app.add_typer(review.app, name="review", rich_help_panel="The journey")
app.command(rich_help_panel="The journey")(calibrate.calibrate)
app.command(rich_help_panel="The journey")(curate.publish)
app.command(rich_help_panel="The journey")(train.cache)
app.command(rich_help_panel="The journey")(train.train)
app.add_typer(animate.app, name="animate", rich_help_panel="The journey")
app.add_typer(evaluate.app, name="evaluate", rich_help_panel="The journey")
app.command(rich_help_panel="Looking")(study.study)
app.command(rich_help_panel="Looking")(curate.score)
app.command(rich_help_panel="Looking")(curate.explain)
app.command(rich_help_panel="Looking")(curate.funnel)
app.command(rich_help_panel="Looking")(curate.takedown)
app.command(rich_help_panel="Looking")(curate.protect)
app.add_typer(data.snapshot_app, name="snapshot", rich_help_panel="Looking")
app.add_typer(data.weights_app, name="weights", rich_help_panel="This machine")
app.add_typer(world.app, name="world", rich_help_panel="Looking")
app.command(rich_help_panel="This machine")(machine.doctor)
app.command(rich_help_panel="This machine")(operate.up)
app.command(rich_help_panel="This machine")(operate.down)
app.command(rich_help_panel="This machine")(operate.status)
app.add_typer(notify.app, name="notify", rich_help_panel="This machine")
app.command(rich_help_panel="This machine")(machine.serve)
app.command(rich_help_panel="This machine")(metrics.metrics)
app.command(rich_help_panel="This machine")(keep.backup)
app.command(rich_help_panel="This machine")(keep.restore)
app.command(
    rich_help_panel="This machine",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)(bench.bench)
