"""`clapboard backup` and `clapboard restore`."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import HomeOption, JsonOption, home_of


def backup(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder, or a new file NAME.tar.")],
    home: HomeOption = None,
    with_shards: Annotated[bool, typer.Option("--with-shards", help="The clips of all snapshots too.")] = False,
    with_embeddings: Annotated[
        bool, typer.Option("--with-embeddings", help="What networks made of pictures and sounds, too.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """A copy of a home as of one moment, also while it works: ledger, verdicts, accounts, what snapshots are."""
    from curation.home.backup import back_up
    from flows.cli.show import print_json, progress

    with progress("backing up") as advance:
        manifest = back_up(
            home_of(home), out.absolute(), shards=with_shards, embeddings=with_embeddings, progress=advance
        )
    if json:
        print_json({"backup": str(out), **manifest.facts.model_dump(), "files": len(manifest.files)})
        return
    size = sum(one.bytes for one in manifest.files.values() if one.same_as is None)
    held = f"{len(manifest.files)} files, {size / 2**20:.1f} MiB, ledger of schema {manifest.facts.revision}"
    typer.echo(f"{out}: {held}; restore it by: clapboard restore {out} --home NEW_FOLDER")


def restore(
    source: Annotated[Path, typer.Argument(metavar="FROM", help="What `clapboard backup` made.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Make a home of a backup, checked byte by byte; the ledger is brought up to date where it is older."""
    from dataclasses import asdict

    from curation.home.restore import restore as make_of
    from flows.cli.show import print_json, progress

    place = home_of(home)
    with progress("restoring") as advance:
        done = make_of(source.absolute(), place, progress=advance)
    if json:
        print_json({"home": str(place.root), **(asdict(done) | {"manifest": done.manifest.facts.model_dump()})})
        return
    facts = done.manifest.facts
    typer.echo(f"{place.root}: as it was at {facts.made_at}, every byte as written")
    if done.upgraded:
        typer.echo(f"the ledger was of schema {facts.revision}, and was brought up to date")
    if done.forgotten:
        typer.echo(f"taken down again, as the log of take-downs demands: {', '.join(done.forgotten)}")
    if done.snapshots_elsewhere and facts.snapshots:
        typer.echo("snapshots were left as they are where CLAPBOARD_SNAPSHOTS says")
    for one in done.without_shards:
        typer.echo(
            f"{one} has no shards: put them into its folder, or: clapboard snapshot withdraw {one} --reason lost"
        )
