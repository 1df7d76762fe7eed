"""`clapboard curate`, `publish`, `score`, `explain`, `funnel`."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import HomeOption, JsonOption, RecipeOption, home_of, recipe_of

if TYPE_CHECKING:
    from curation.home.folder import Home
    from flows.summary import CurateSummary, DroppedClip


def curate(
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Tables (CSV, JSONL, parquet), folders, media files, tars, links, lists, s3://...; none: the standing "
            "ones of `clapboard sources`."
        ),
    ] = [],  # noqa: B006 (typer copies it)
    recipe: RecipeOption = None,
    home: HomeOption = None,
    accept_all: Annotated[
        bool, typer.Option("--accept-all", help="Accept whatever decodes and holds no cut: the uncurated baseline.")
    ] = False,
    allow_loopback: Annotated[
        bool, typer.Option("--allow-loopback", help="Allow links to this machine, for trying things out.")
    ] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Try again what failed for good.")] = False,
    spread: Annotated[
        int, typer.Option("--spread", metavar="N", min=0, help="Have N runs on the workers of `clapboard up` do it.")
    ] = 0,
    ray: Annotated[
        str, typer.Option("--ray", metavar="ADDRESS", help="Have a Ray cluster do it; `local` starts one here.")
    ] = "",
    json: JsonOption = False,
) -> None:
    """Fetch, score, decide and publish; flagged clips wait in the review queue.

    Run it again as often as you like: it goes on where it stopped and redoes nothing that is done.
    """
    from flows.cli.show import print_json
    from flows.run import run_curate

    chosen = recipe_of(recipe)
    if not (recipe or json):
        _say_default()
    if accept_all:
        chosen = chosen.model_copy(update={"policy": chosen.policy.model_copy(update={"accept_all": True})})
    if allow_loopback:
        chosen = chosen.model_copy(update={"fetch": chosen.fetch.model_copy(update={"allow_loopback": True})})
    place = home_of(home)
    summary = run_curate(sources, home=place, recipe=chosen, retry=retry, **_who(spread, ray))
    if json:
        print_json(summary.model_dump(mode="json"))
        return
    _show(summary, place.root)


def _who(spread: int, ray: str) -> dict[str, object]:
    """Who works the videos off."""
    from flows.parameters import Runner

    if ray:
        shares = spread or os.cpu_count() or 1
        return {"runner": Runner.RAY, "shares": shares, "ray_address": "" if ray == "local" else ray}
    return {"runner": Runner.WORKERS, "shares": spread} if spread else {}


def _show(summary: "CurateSummary", home: Path) -> None:
    show_funnel(home)
    for lack in summary.not_run:
        typer.echo(f"not run: {lack.what}: {lack.why}; mend: {lack.command}")
    word = "published" if summary.fresh_snapshot else "unchanged"
    typer.echo(f"snapshot: {summary.snapshot or 'none, nothing was accepted'} ({word})")
    if summary.waiting:
        typer.echo(f"{summary.waiting} clips wait for a person: clapboard review serve --home {home}")


def publish(home: HomeOption = None, recipe: RecipeOption = None, json: JsonOption = False) -> None:
    """Publish the clips that a person accepted as the next `curated` snapshot."""
    from flows.cli.show import print_json
    from flows.run import run_publish_curated

    summary = run_publish_curated(home=home_of(home), recipe=recipe_of(recipe))
    if json:
        print_json(summary.model_dump(mode="json"))
        return
    word = "published" if summary.fresh else "unchanged"
    typer.echo(f"snapshot: {summary.snapshot}, {summary.clips} clips ({word})")
    show_dropped(summary.dropped)


def score(
    files: Annotated[list[Path], typer.Argument(help="Media files; each is scored as one window.")],
    scores: Annotated[str, typer.Option("--scores", help="Names, comma-separated.")] = "motion,loudness,missing,sync",
    json: JsonOption = False,
) -> None:
    """Score whole files: how much they move, how loud they are, how well sound and motion agree."""
    from curation.scores.files import score_files
    from flows.cli.scores import score_table
    from flows.cli.show import print_json, progress, table

    names = [name.strip() for name in scores.split(",") if name.strip()]
    with progress("scoring") as advance:
        rows = []
        for row in score_files(files, names):
            rows.append(row)
            advance(len(rows), len(files), row["file"])
            if json:
                print_json(row)
    if not json and rows:
        table("scores", *score_table(rows))
    if all("outcome" in row for row in rows):
        raise typer.Exit(2)


def explain(
    item: Annotated[str, typer.Argument(help="A clip id, a video id, a link or a path.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """The full story of one item, from its link to its decision."""
    import yaml

    from curation.accounting.explain import explain as story_of
    from curation.accounting.explain import scores_of_clips
    from flows.cli.scores import in_short
    from flows.cli.show import print_json

    with home_of(home).ledger(must_exist=True) as ledger:
        story = story_of(ledger, item)
        scores = scores_of_clips(ledger, story["video_id"])
    if json:
        print_json(story)
    else:
        told = {"asked": item, "in_short": in_short(story, scores)} | story
        typer.echo(yaml.safe_dump(told, sort_keys=False, allow_unicode=True, width=110))


def protect(
    name: Annotated[str, typer.Argument(help="What the videos belong to, such as AVSync15.")],
    files: Annotated[list[Path], typer.Argument(help="Its videos, or folders of them.")],
    home: HomeOption = None,
) -> None:
    """Keep copies of a benchmark's videos out of every snapshot, whoever uploaded them anew, and however edited."""
    from curation.dedup.ledger import add_benchmark
    from curation.media.sandbox import MediaWorkers
    from curation.sources.base import RowFault
    from curation.sources.folder import read_folder
    from curation.sources.settings import SourceSettings
    from flows.cli.show import visible
    from shards.errors import BadInput

    videos: list[Path] = []
    for one in files:
        for found in read_folder(one, SourceSettings()) if one.is_dir() else ():
            if isinstance(found, RowFault):
                typer.echo(f"{found.outcome}: {visible(found.detail)}", err=True)
            elif found.path:
                videos.append(found.path)
        videos += [] if one.is_dir() else [one]
    if not videos:
        raise BadInput(
            f"there is no video in {', '.join(map(str, files))}",
            remedy="name videos, such as film.mp4, or folders of them",
        )
    with home_of(home).ledger() as ledger, MediaWorkers(count=1) as workers:
        kept = add_benchmark(
            ledger,
            name,
            videos,
            analyse=lambda path: workers.analyse(path, thumbnails=False),
            progress=lambda path, failure: typer.echo(f"{path}: {failure}", err=True) if failure else None,
        )
    typer.echo(f"{name}: {kept} of {len(videos)} videos are protected; the next curation run looks for copies of them")
    if kept < len(videos):
        raise typer.Exit(2)


def takedown(
    item: Annotated[str, typer.Argument(help="A link, a path, a video id or a clip id.")],
    reason: Annotated[str, typer.Option("--reason", help="Who asked, and why; kept in the log.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Remove a video for good: its files, its scores, its clips in every snapshot. It is never fetched again."""
    from dataclasses import asdict

    from curation.home.takedown import take_down
    from flows.cli.show import print_json

    place = home_of(home)
    with place.ledger() as ledger:
        ledger.check()
        removed = take_down(ledger, item, home=place, reason=reason)
    if json:
        print_json(asdict(removed))
        return
    typer.echo(f"{', '.join(removed.video_ids)}: {removed.files} files deleted")
    for one in removed.snapshots:
        typer.echo(f"{', '.join(one.withdrawn)} withdrawn; go on with {one.successor or 'nothing: no clip is left'}")
    if removed.snapshots:
        typer.echo("caches and adapters that were trained on them are not changed; delete those that must go")


def funnel(
    home: HomeOption = None,
    lines: Annotated[
        bool, typer.Option("--lines", help="Name each line of a source that is a fault, came to nothing, or was odd.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """What came in and how it left, stage by stage, or line by line."""
    place = home_of(home)
    if lines:
        _show_lines(place, json=json)
        return
    if not json:
        show_funnel(place.root)
        return
    from dataclasses import asdict

    from curation.accounting.funnel import funnel as stages_of
    from flows.cli.show import print_json

    with place.ledger(must_exist=True) as ledger:
        for stage in stages_of(ledger):
            print_json(asdict(stage))


def _show_lines(home: "Home", *, json: bool) -> None:
    from dataclasses import asdict

    from curation.accounting.lines import told_lines
    from flows.cli.show import print_json, visible

    with home.ledger(must_exist=True) as ledger:
        for one in told_lines(ledger):
            if json:
                print_json(asdict(one) | {"remedy": one.remedy})
            else:
                mend = f"; mend: {one.remedy}" if one.remedy else ""
                typer.echo(visible(f"{one.table}:{one.row}: {one.outcome}: {one.detail or 'no more is known'}{mend}"))


def show_funnel(home: Path) -> None:
    """Print a home's funnel with the remedy of each loss, and what decided."""
    from curation.accounting.funnel import funnel as stages_of
    from curation.accounting.lines import count_told
    from curation.accounting.networks import noted
    from curation.home.folder import Home
    from curation.outcomes import remedy_of
    from flows.cli.show import table

    with Home(home).ledger(must_exist=True) as ledger:
        stages, odd = stages_of(ledger), count_told(ledger)
    rows = []
    for stage in stages:
        rows.append([stage.name, stage.entered, "" if stage.adds_up else "DOES NOT ADD UP", ""])
        ordered = sorted(stage.outcomes.items(), key=lambda one: -one[1])
        rows += [["", f"  {count}", name, remedy_of(name)] for name, count in ordered]
    table("funnel", ["stage", "items", "outcome", "remedy"], rows)
    if odd:
        typer.echo(
            f"{odd} lines of sources are faults or were odd; each by name: clapboard funnel --lines --home {home}"
        )
    if world := noted(home):
        typer.echo(world.told)


def _say_default() -> None:
    """Which recipe it is that nobody named, where that depends on the machine."""
    from curation.accounting.networks import NETWORKS
    from flows.presets import RECIPE, default_preset

    if named := os.environ.get(RECIPE):
        typer.echo(f"recipe: {named}, as {RECIPE} says")
    elif default_preset() == "published":
        here = ", ".join(NETWORKS.values())
        typer.echo(f"recipe: published, since the weights of {here} are here; without them: --recipe default")


def show_dropped(dropped: Sequence["DroppedClip"], most: int = 20) -> None:
    """Name the accepted clips that could not be published, by reason, with what mends each."""
    for outcome in sorted({one.outcome for one in dropped}):
        lost = [one for one in dropped if one.outcome == outcome]
        typer.echo(f"left out: {len(lost)} accepted, {outcome}; mend: {outcome.remedy}")
        for one in lost[:most]:
            typer.echo(f"  {one.clip_id} {one.start_us / 1e6:.2f}-{one.end_us / 1e6:.2f} s of {one.link}")
        if len(lost) > most:
            typer.echo(f"  and {len(lost) - most} more; --json names them all")
