"""Plain lists: a link, a YouTube id or a path a line, as downloaders read them; `#` begins a comment."""

import re
from pathlib import Path

from curation.outcomes import Outcome
from curation.sources.base import Read, RowFault, is_web, surrogates_escaped
from curation.sources.identity import YOUTUBE_ID, youtube_link
from curation.sources.rows import row_of
from curation.sources.settings import SourceSettings
from curation.sources.text import MAX_LINE, is_too_long, lines_of, open_text

SUFFIXES = frozenset({".txt", ".list", ".lst", ".urls"})
"""Endings under which such lists, and tables too, are kept."""


_COMMENT = re.compile(r"\s#.*")
"""What may stand behind a link; the name of a file may hold such."""


def read_link_list(file: Path, settings: SourceSettings) -> Read:  # noqa: ARG001
    """A row for each line."""
    with open_text(file) as text:
        for number, line in enumerate(lines_of(text), start=1):
            said = line.strip()
            if is_too_long(line):
                yield RowFault(str(file), number, Outcome.BAD_LINE, f"it has more than {MAX_LINE} characters")
            elif said and not said.startswith("#"):
                yield row_of(_fields(said, file), file, number)


def begins_as_list(head: str) -> bool:
    """Whether a text that begins so is a list of links."""
    lines = (line.strip() for line in head.splitlines())
    return is_web(next((line for line in lines if line and not line.startswith("#")), ""))


def _fields(said: str, file: Path) -> dict[str, str]:
    if "://" in said:
        return {"url": _COMMENT.sub("", said)}
    # A file of such a name comes first: it is what whoever wrote the list sees beside it.
    if YOUTUBE_ID.fullmatch(said) and not (file.parent / surrogates_escaped(said)).exists():
        return {"url": youtube_link(said)}
    return {"path": said}
