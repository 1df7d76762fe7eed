"""Write the pages that come from the code and from kept measurements, or check that they still say the same.

docs/recipes.md and docs/outcomes.md come from the code, docs/benchmarks.md from bench/results/.

python tools/docs.py            write
python tools/docs.py --check    fail if a file is stale
"""

import argparse
import sys
from pathlib import Path

from pydantic import BaseModel

from bench.page import benchmarks
from curation.outcomes import Outcome
from curation.settings.recipe import Recipe

DOCS = Path(__file__).resolve().parent.parent / "docs"


def recipes() -> str:
    """Every setting of a recipe as tables, one for each part."""
    lines = [
        "# Recipes",
        "",
        "A recipe is a YAML file; what it does not name keeps its default, and a key that does not exist is an error.",
        "Presets lie in `recipes/`. `clapboard curate SOURCES --recipe my.yaml`. (Written by `make docs`.)",
    ]
    plain = {name: field for name, field in Recipe.model_fields.items() if not _is_model(field.annotation)}
    lines += ["", "## At the top", "", *_table({name: (f.default, f.description) for name, f in plain.items()})]
    for name, field in Recipe.model_fields.items():
        if _is_model(field.annotation):
            lines += _part(name, field.annotation, level=2)  # type: ignore[arg-type]
    return "\n".join(lines) + "\n"


def _part(name: str, part: type[BaseModel], *, level: int) -> list[str]:
    """A model's settings as a table, and those of the models in it as tables below."""
    below = {key: one.annotation for key, one in part.model_fields.items() if _is_model(one.annotation)}
    rows = {
        key: (one.get_default(call_default_factory=True), one.description)
        for key, one in part.model_fields.items()
        if key not in below
    }
    lines = ["", f"{'#' * level} `{name}`", "", (part.__doc__ or "").strip(), "", *_table(rows)]
    return lines + [
        line
        for key, inner in below.items()
        for line in _part(f"{name}.{key}", inner, level=level + 1)  # type: ignore[arg-type]
    ]


def outcomes() -> str:
    """Every outcome with its remedy."""
    rows = [f"| `{one}` | {one.remedy} |" for one in Outcome]
    head = ["# Outcomes", "", "Every way an item can leave the journey. (Written by `make docs`.)", ""]
    return "\n".join([*head, "| outcome | what mends it |", "|---|---|", *rows]) + "\n"


def _is_model(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _table(rows: dict[str, tuple[object, str | None]]) -> list[str]:
    return [
        "| setting | default | what it is |",
        "|---|---|---|",
        *(f"| `{name}` | `{_shown(default)}` | {text or ''} |" for name, (default, text) in rows.items()),
    ]


def _shown(default: object) -> str:
    return str(default).replace("|", "\\|")


def main() -> int:
    """Entry point; returns the process's exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only say whether a file is stale")
    check = parser.parse_args().check
    stale = False
    for name, text in (("recipes.md", recipes()), ("outcomes.md", outcomes()), ("benchmarks.md", benchmarks())):
        path = DOCS / name
        if check and (not path.is_file() or path.read_text() != text):
            sys.stderr.write(f"docs/{name} is stale; write it anew with `make docs`\n")
            stale = True
        elif not check:
            path.write_text(text)
    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
