"""`clapboard bench`: measure this machine and this code against limits and peers."""

import argparse
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import JsonOption
from shards.errors import BadInput

if TYPE_CHECKING:
    from bench.result import Result

NOT_BENCHES = (
    "result",
    "media",
    "page",
    "postgres",
    "flash",
    "matroska",
    "timing_films",
    "cases",
    "stats",
    "drawn",
    "training",
    "shot_figures",
    "shot_films",
    "shot_finders",
)


def bench(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Which one; without a name, list them.")] = None,
    save: Annotated[bool, typer.Option("--save", help="Keep the figures in bench/results/, for the docs.")] = False,
    json: JsonOption = False,
) -> None:
    """Measure speed and exactness: `clapboard bench NAME --help` shows what a benchmark can be told."""
    from flows.cli.show import print_json, table

    # What follows a name is for that benchmark, `--help` too; so the command's own help is asked for by hand.
    if name == "--help":
        typer.echo(context.get_help())
        return
    if name is None:
        table("benchmarks", ["name", "measures"], [[one, _headline(one)] for one in names()])
        return
    if name not in names():
        raise BadInput(f"there is no benchmark {name!r}", remedy=f"one of: {', '.join(names())}")
    from bench import result as results

    module = import_module(f"bench.{name}")
    parser = argparse.ArgumentParser(
        prog=f"clapboard bench {name}", description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    module.add_arguments(parser)
    machine = results.machine_facts()
    found: results.Result = module.run(parser.parse_args(context.args))
    document = results.document(name, context.args, found, machine=machine)
    if json:
        print_json(document)
    else:
        _show(name, found)
    if save:
        typer.echo(f"kept as {results.save(document)}", err=True)


def names() -> list[str]:
    """All benchmarks.

    Raises:
        BadInput: they are not installed here.
    """
    try:
        package = import_module("bench")
    except ImportError as error:
        raise BadInput("the benchmarks are not installed", remedy="run this from a checkout of Clapboard") from error
    return sorted(one.name for one in iter_modules(package.__path__) if one.name not in NOT_BENCHES)


def _headline(name: str) -> str:
    return (import_module(f"bench.{name}").__doc__ or "").strip().splitlines()[0]


def _show(name: str, found: "Result") -> None:
    from flows.cli.show import table

    if found.rows:
        columns = list(found.rows[0])
        table(name, columns, [["" if row[one] is None else row[one] for one in columns] for row in found.rows])
    if found.goals:
        rows = [[goal.what, goal.wanted, goal.found, goal.verdict] for goal in found.goals]
        table("goals", ["goal", "wanted", "found", ""], rows)
    for note in found.notes:
        typer.echo(note)
