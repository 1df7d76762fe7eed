"""docs/benchmarks.md, written from the results that were kept: every figure with its command, machine and date."""

import json
from pathlib import Path
from typing import Any

from bench.result import RESULTS, verdict

HEAD = """# Benchmarks

Every figure here was printed by the command above it and kept in `bench/results/`. Machines are noisy, so what counts
are ratios within one run. Goals that were missed stand here as missed. (Written by `make docs`.)
"""


def benchmarks(folder: Path = RESULTS) -> str:
    """The page as Markdown: a table of all goals, then a section for each benchmark."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    parts = [HEAD, _goals(found), *(_section(one) for one in found)]
    return "\n".join(part for part in parts if part)


def _goals(found: list[dict[str, Any]]) -> str:
    rows = [
        [f"[{one['bench']}](#{one['bench']})", goal["what"], goal["wanted"], goal["found"], _met(goal)]
        for one in found
        for goal in one["goals"]
    ]
    return _table(["benchmark", "goal", "wanted", "found", ""], rows) if rows else ""


def _section(one: dict[str, Any]) -> str:
    machine = one["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in one["versions"].items() if version)
    lines = [
        f"## {one['bench']}",
        "",
        f"    {one['command']}",
        "",
        f"{one['date']}; {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"{machine['system']}, Python {machine['python']}; {versions}; load before {machine['load_before']}.",
        "",
    ]
    if one["rows"]:
        columns = list(one["rows"][0])
        lines.append(_table(columns, [[row.get(name) for name in columns] for row in one["rows"]]))
    lines += [f"{note}\n" for note in one["notes"]]
    return "\n".join(lines)


def _table(columns: list[str], rows: list[list[Any]]) -> str:
    lines = [columns, ["---"] * len(columns), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value).replace("|", "\\|")


def _met(goal: dict[str, Any]) -> str:
    told = verdict(goal["wanted"], goal["met"])
    return "**missed**" if told == "missed" else told
