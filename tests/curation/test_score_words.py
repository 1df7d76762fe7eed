"""The words on score columns that published cards carry: there are some on each column, and the docs say the same."""

import re
from importlib import import_module
from pathlib import Path

from curation.scores.registry import SCORES
from curation.scores.words import COLUMNS

DOCS = Path(__file__).resolve().parent.parent.parent / "docs" / "scores.md"


def columns() -> set[str]:
    found = set()
    for place in SCORES.values():
        module, _, name = place.partition(":")
        found |= {*getattr(import_module(module), name).columns}
    return found


def test_each_column_of_each_score_has_words_and_no_other_has():
    # What a mended offset leaves beside them: `curation.decide.apply`.
    mended = {"offset_before_s", "sync_before"}
    assert set(COLUMNS) == columns() | mended


def test_each_figure_on_film_is_the_one_of_the_docs():
    docs = DOCS.read_text(encoding="utf-8")
    for name, note in COLUMNS.items():
        if found := re.search(r"AUC (\S+) against a sound 0.3 s off, (\S+) against another's", note.worth):
            row = next(line for line in docs.splitlines() if line.startswith(f"| `{name}`") and "[" in line)
            moved, foreign = (row.split("|")[column].split()[0] for column in (2, 5))
            assert (found[1], found[2]) == (moved, foreign), name


def test_a_line_of_a_table_is_not_broken():
    assert not [name for name, note in COLUMNS.items() if re.search(r"[|\n]", note.means + note.worth)]
