"""`clapboard sources`: the standing sources of a home, which a schedule curates."""

from typing import Annotated

import typer

from flows.cli.options import HomeOption, JsonOption, home_of

app = typer.Typer(no_args_is_help=True, help="The standing sources: what is curated whenever no source is named.")

SourcesArgument = Annotated[
    list[str], typer.Argument(metavar="SOURCE...", help="Whatever `clapboard curate` takes: tables, folders, links.")
]


@app.command()
def add(sources: SourcesArgument, home: HomeOption = None) -> None:
    """Add sources; each night, and each `clapboard curate` that names none, reads them anew."""
    from curation.sources.standing import add_standing
    from flows.run import as_given

    with home_of(home).ledger() as ledger:
        new = add_standing(ledger, [as_given(one) for one in sources])
    typer.echo(f"{new} added, {len(sources) - new} there already")


@app.command("list")
def list_(home: HomeOption = None, json: JsonOption = False) -> None:
    """The standing sources; links without the passwords and keys they may hold."""
    from curation.sources.standing import standing_sources
    from flows.cli.show import print_json
    from flows.secrets import redacted

    with home_of(home).ledger(must_exist=True) as ledger:
        for one in standing_sources(ledger):
            if json:
                print_json({"source": redacted(one)})
            else:
                typer.echo(redacted(one))


@app.command()
def remove(sources: SourcesArgument, home: HomeOption = None) -> None:
    """Remove sources, named as they were given or as `list` shows them; what came of them stays."""
    from curation.sources.standing import remove_standing, standing_sources
    from flows.run import as_given
    from flows.secrets import redacted

    with home_of(home).ledger(must_exist=True) as ledger:
        by_look: dict[str, list[str]] = {}
        for one in standing_sources(ledger):
            by_look.setdefault(redacted(one), []).append(one)
        # Links that differ in their keys alone look the same: those have to be named in full.
        shown = {look: those[0] for look, those in by_look.items() if len(those) == 1}
        remove_standing(ledger, [shown.get(one, as_given(one)) for one in sources])
    typer.echo(f"{len(sources)} removed")
