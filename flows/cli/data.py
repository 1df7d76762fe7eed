"""`clapboard snapshot` and `clapboard weights`."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import HomeOption, JsonOption, home_of

snapshot_app = typer.Typer(no_args_is_help=True, help="Published data sets: list, look at, check, share.")
weights_app = typer.Typer(no_args_is_help=True, help="Model weights: list, fetch, check.")

RefArgument = Annotated[str, typer.Argument(metavar="SNAPSHOT", help='"auto/v1", or "auto" for the newest.')]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="A name that `weights list` shows.")]


@snapshot_app.command("list")
def list_(home: HomeOption = None, json: JsonOption = False) -> None:
    """All snapshots of a home."""
    from flows.cli.show import print_json, table
    from shards.snapshot import list_snapshots

    found = list_snapshots(home_of(home).snapshots)
    if json:
        for one in found:
            print_json({"id": one.id, "digest": one.digest, **one.manifest["counts"]})
        return
    rows = [
        [one.id, one.manifest["counts"]["clips"], f"{one.manifest['counts']['seconds']:.1f}", one.digest[:12], one.path]
        for one in found
    ]
    table("snapshots", ["snapshot", "clips", "seconds", "digest", "folder"], rows)


@snapshot_app.command()
def show(ref: RefArgument, home: HomeOption = None, json: JsonOption = False) -> None:
    """One snapshot: its manifest, or with --json a line for each clip of its index."""
    import yaml

    from flows.cli.show import print_json
    from shards.snapshot import open_snapshot

    snapshot = open_snapshot(home_of(home).snapshots, ref)
    if json:
        for row in snapshot.index().to_pylist():
            print_json(row)
        return
    typer.echo(yaml.safe_dump(snapshot.manifest, sort_keys=False, allow_unicode=True))


@snapshot_app.command()
def verify(
    ref: RefArgument,
    home: HomeOption = None,
    clips: Annotated[int, typer.Option("--clips", min=0, help="Decode so many clips and check their cut.")] = 16,
    seed: Annotated[int, typer.Option("--seed", help="Which clips are drawn.")] = 0,
) -> None:
    """Check every byte against the manifest, and the cut of some clips; a fault is exit code 4."""
    from curation.media.recheck import recheck
    from shards.snapshot import open_snapshot
    from shards.verifying import verify as faults_of

    snapshot = open_snapshot(home_of(home).snapshots, ref)
    faults = faults_of(snapshot, check=recheck, clips=clips, seed=seed)
    for fault in faults:
        typer.echo(f"{snapshot.id}: {fault}", err=True)
    if faults:
        raise typer.Exit(4)
    count = snapshot.manifest["counts"]["clips"]
    typer.echo(
        f"{snapshot.id}: {count} clips, every byte as published; {min(clips, count)} decoded, their cut is exact"
    )


@snapshot_app.command()
def withdraw(
    ref: RefArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why; who asks for it is told.")],
    home: HomeOption = None,
) -> None:
    """Give a version up, a damaged one say: it is seen no more, its number stays taken, the next is not made of it."""
    from shards.snapshot import open_snapshot, versions
    from shards.takedown import give_up
    from shards.words import printable

    root = home_of(home).snapshots
    snapshot = open_snapshot(root, ref)
    others = [one.id for one in versions(root, snapshot.name) if one.version != snapshot.version]
    give_up(snapshot, reason=printable(reason), successor=others[-1] if others else None)
    typer.echo(f"{snapshot.id} withdrawn; go on with {others[-1] if others else 'nothing: there is no other version'}")


@snapshot_app.command()
def push(
    ref: RefArgument,
    repo: Annotated[str, typer.Argument(metavar="REPO_ID", help="A data set of the hub: NAME, or OWNER/NAME.")],
    home: HomeOption = None,
    public: Annotated[bool, typer.Option("--public", help="For everybody to see; else for its owner alone.")] = False,
    links_as_they_are: Annotated[
        bool, typer.Option("--links-as-they-are", help="Also where links carry passwords or keys.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Upload a snapshot, with its card, to the Hugging Face hub. The token is HF_TOKEN, or `hf auth login`'s."""
    from dataclasses import asdict

    from flows.cli.show import print_json, progress
    from flows.sharing import push_checked

    with progress(f"pushing {ref}") as advance:
        done = push_checked(
            home_of(home), ref, repo, public=public, links_as_they_are=links_as_they_are, progress=advance
        )
    if json:
        print_json(asdict(done))
        return
    sent = f"{done.sent} files sent, {done.sent_bytes / 2**20:.1f} MiB" if done.commit else "nothing to send"
    removed = f"; {done.removed} shards of an older version removed" if done.removed else ""
    typer.echo(f"{done.url}: {sent}; {done.there_already} were there already{removed}")


@weights_app.command("list")
def weights_list(json: JsonOption = False) -> None:
    """What can be fetched, what is there, under which licence."""
    from dataclasses import asdict

    from flows.cli.show import print_json, table
    from shards.weights import known, status

    found = [(one, status(one.name)) for one in known()]
    if json:
        for one, state in found:
            print_json(asdict(one) | {"status": asdict(state)})
        return
    rows = [
        [one.name, one.purpose, one.licence, f"{one.size_mb} MB", "yes" if state.present else state.why]
        for one, state in found
    ]
    table("weights", ["name", "for", "licence", "size", "here"], rows)


@weights_app.command()
def fetch(name: NameArgument) -> None:
    """Fetch weights from the hub into the cache, and note their digests."""
    from flows.cli.show import progress
    from shards.weights import fetch as fetch_weights

    with progress(f"fetching {name}") as advance:
        folder = fetch_weights(name, progress=advance)
    typer.echo(f"{name}: {folder}")


@weights_app.command()
def add(
    name: NameArgument,
    path: Annotated[Path, typer.Argument(help="A file or folder that holds them.", exists=True)],
    link: Annotated[bool, typer.Option("--link", help="Link instead of copying.")] = False,
) -> None:
    """Take weights that are on this machine already, and note their digests; nothing is asked of the hub."""
    from shards.weights import add_local

    state = add_local(name, path, link=link)
    typer.echo(f"{name}: {state.path}" if state.present else f"{name}: not whole yet: {state.why}")


@weights_app.command("verify")
def weights_verify(name: NameArgument) -> None:
    """Check the digests of fetched weights; a fault is exit code 4."""
    from shards.weights import verify as faults_of

    faults = faults_of(name)
    for fault in faults:
        typer.echo(f"{name}: {fault}", err=True)
    if faults:
        raise typer.Exit(4)
    typer.echo(f"{name}: every byte as recorded")
