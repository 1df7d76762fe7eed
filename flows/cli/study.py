"""`clapboard study`: two-stage training against its alternatives, in miniature, on drawn films with exact truth."""

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import JsonOption


def study(
    size: Annotated[str, typer.Option("--size", help="tiny (minutes) or small (a night on two cores).")] = "tiny",
    out: Annotated[
        Path, typer.Option("--out", help="The folder of films, homes, runs and results.", file_okay=False)
    ] = Path("study"),
    probe_on: Annotated[
        list[str],
        typer.Option("--probe-on", metavar="SOURCE", help="Filmed videos: trained arms are probed on them as well."),
    ] = [],  # noqa: B006 (typer copies it)
    so_far: Annotated[
        bool, typer.Option("--so-far", help="Run nothing: the table of the arms that are done, from another terminal.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Does pretraining on an automatically curated crawl, then a little curated data, match much curated data?

    A crawl of drawn films with the faults of the web is curated by the flow that `clapboard curate` runs, and simulated
    reviewers answer the review queue of another part of it. Adapters on the generator that ships are trained on the
    crawl, raw or curated, and on shares of what the reviewers accepted, with the same number of steps each. Each then
    animates unseen films, and strikes are counted. Stopped, the same command goes on.
    """
    from curation.home.folder import Home
    from flows.cli.show import print_json
    from flows.cli.show import table as show
    from flows.run import as_given, stage_set
    from flows.study.settings import SIZES, Size
    from shards.errors import BadInput

    if size not in set(Size):
        raise BadInput(f"there is no size {size!r}", remedy=f"one of: {', '.join(Size)}")
    chosen, root = Size(size), out.absolute()
    if so_far:
        from flows.study.data import read_data
        from flows.study.run import results_so_far
        from flows.study.table import table

        results = results_so_far(root, SIZES[chosen])
        if not results:
            raise BadInput(f"no arm of a {size} study is done in {root}", remedy="start it: the same without --so-far")
        rows = table(results, read_data(root), SIZES[chosen])
        if json:
            print_json(rows)
            return
        show(f"the study so far, {size}", list(rows[0]), [list(row.values()) for row in rows])
        return
    with stage_set(Home(root)):
        from flows.study.report import write_films, write_report
        from flows.study.run import StudyParams
        from flows.study.run import study as run

        results = run(StudyParams(out=root, size=chosen, probe_on=[as_given(one) for one in probe_on]))
    report = write_report(root, results, SIZES[chosen])
    write_films(root, results)
    if json:
        print_json(report.to_json())
        return
    show(f"the study, {size}", list(report.rows[0]), [list(row.values()) for row in report.rows])
    typer.echo(f"\n{report.answer}\n{report.folder}")
