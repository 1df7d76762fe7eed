"""`clapboard evaluate vote`: people say which of two films follows its sound better, not knowing whose they are."""

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.default_command import by_default
from flows.cli.options import JsonOption

if TYPE_CHECKING:
    from flows.evaluation.voting.tally import Tally

app = typer.Typer(
    cls=by_default("serve"),
    no_args_is_help=True,
    help="Ask people which films follow the sound better: `clapboard evaluate vote A B --out FOLDER --voter NAME`, "
    "once for each voter, then `clapboard evaluate vote tally FOLDER`.",
)


@app.command()
def serve(
    a: Annotated[Path, typer.Argument(metavar="A", help="A folder of results of `evaluate`, or of mp4 with sound.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another one; clips that both have are shown.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the study: its plan and all votes.")],
    voter: Annotated[str, typer.Option("--voter", help="Who votes.", show_default="your user name")] = "",
    port: Annotated[int, typer.Option("--port", help="0 takes a free one.")] = 8430,
    host: Annotated[str, typer.Option("--host", help="127.0.0.1, ::1 or localhost.")] = "127.0.0.1",
    pairs: Annotated[
        int | None, typer.Option("--pairs", min=1, help="Clips of which a voter sees both films.", show_default="40")
    ] = None,
    repeats: Annotated[
        int | None,
        typer.Option(
            "--repeats", min=0, help="How many of them come again, sides swapped.", show_default="one in eight"
        ),
    ] = None,
    checks: Annotated[
        int | None,
        typer.Option(
            "--checks",
            min=0,
            help="Attention checks beside them: a true film against itself still, or with its sound 0.5 s late; where "
            "A or B is an evaluation, which keeps true films.",
            show_default="one in eight",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Of sides and order, with the voter's name.", show_default="0")
    ] = None,
) -> None:
    """Open the page for one voter; the same command again goes on where that voter was.

    Space plays left and right in turn, 1 and 2 say which is better, 0 that there is no difference, Z takes back.
    """
    from curation.review.listening import Place
    from flows.evaluation.voting.serve import serve as run_server
    from flows.evaluation.voting.study import open_study

    study = open_study(a, b, out, pairs=pairs, repeats=repeats, checks=checks, seed=seed)
    if study.left_out:
        _note(f"{len(study.left_out)} clips are left out, as one of their films has no sound or cannot be read")
    if not study.plan.checks:
        _note("there are no attention checks: an evaluation by `clapboard evaluate --out` keeps true films for them")
    done, total = run_server(
        study,
        voter=voter or getpass.getuser(),
        place=Place(host, port),
        announce=lambda url: typer.echo(f"open {url}   (Ctrl-C stops)"),
    )
    typer.echo(f"{done} of {total} answered; count with: clapboard evaluate vote tally {out}")


@app.command()
def tally(
    folder: Annotated[Path, typer.Argument(help="The --out of a study.")],
    leave_out_failed: Annotated[
        bool, typer.Option("--leave-out-failed", help="Without voters who got fewer than 3 in 4 checks right.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Count the votes: who is preferred, with 95 % intervals, and how far each voter is to be believed."""
    from dataclasses import asdict

    from flows.cli.show import print_json
    from flows.evaluation.voting.study import read_plan
    from flows.evaluation.voting.tally import tallied
    from flows.evaluation.voting.votes import Votes

    plan = read_plan(folder)
    found = tallied(Votes(folder).standing(), leave_out_failed=leave_out_failed)
    if json:
        kept = asdict(plan)
        print_json(found.to_json() | {"plan": {name: kept[name] for name in ("a", "b", "pairs", "seed")}})
        return
    _show(found, Path(plan.a), Path(plan.b))


def _show(found: "Tally", a: Path, b: Path) -> None:
    from flows.cli.show import table
    from flows.evaluation.page import interval

    said = found.a + found.b + found.same
    names = [f"{way}: {one.name}" for way, one in (("A", a), ("B", b))]
    rows: list[list[object]] = [
        [f"prefer {names[0]}", found.a, _share(found.a, said)],
        [f"prefer {names[1]}", found.b, _share(found.b, said)],
        ["no difference", found.same, _share(found.same, said)],
        ["A's win rate, ties left out (Wilson)", found.a + found.b, interval(found.win_rate)],
        ["A's win rate, ties left out (by video)", found.a + found.b, interval(found.win_rate_by_video)],
        ["A's share, ties as half (by video)", said, interval(found.preference)],
        ["agreement of voters (alpha)", found.clips, "–" if found.agreement is None else f"{found.agreement:.2f}"],
    ]
    table(f"{said} votes on {found.clips} clips", ["what", "n", "value"], rows)
    people = [
        [
            one.voter,
            one.pairs,
            f"{one.repeats_same} of {one.repeats}",
            f"{one.checks_right} of {one.checks}",
            _share(one.left, one.sided),
            ("left out" if one.voter in found.left_out else "failed the checks") if one.failed else "",
        ]
        for one in found.voters
    ]
    table("voters", ["voter", "pairs", "same again", "checks right", "left side", ""], people)
    if found.unseen:
        _note(f"{found.unseen} pairs could not be played and count for nothing")


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "–"


def _note(words: str) -> None:
    typer.secho(f"note: {words}", fg=typer.colors.YELLOW, err=True)
