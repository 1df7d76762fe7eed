"""What a source list yields: rows to fetch, and faults that keep a line from being a row."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from curation.outcomes import Outcome

ID_DIGITS = 20
WEB = ("http://", "https://")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One video, or a span of one, that somebody wants curated.

    Either `link` or `path` is set. Times are microseconds from the video's first frame, None where not given. `row`
    is the line of the table where the row begins, counted from 1 as an editor does.
    """

    link: str | None
    path: Path | None
    start_us: int | None
    end_us: int | None
    caption: str
    label: str
    licence: str
    table: str
    row: int

    @property
    def source_id(self) -> str:
        """The id of the video behind it: the same for the same link or file, whatever the span."""
        name = canonical_link(self.link) if self.link is not None else str(self.path)
        return hashlib.sha256(name.encode()).hexdigest()[:ID_DIGITS]


@dataclass(frozen=True, slots=True)
class RowFault:
    """A line that is no usable row; `row` 0 stands for the whole list."""

    table: str
    row: int
    outcome: Outcome
    detail: str


Read = Iterator[SourceRow | RowFault]


def canonical_link(link: str) -> str:
    """A link as it counts for identity: scheme and host in lower case, no default port, no fragment."""
    try:
        parts = urlsplit(link.strip())
    except ValueError:
        return link.strip()
    host = parts.netloc.lower().removesuffix(_DEFAULT_PORTS.get(parts.scheme, "\0"))
    return urlunsplit((parts.scheme, host, parts.path, parts.query, ""))


def is_web(link: str) -> bool:
    """Whether a link is http or https, the only ones that are ever fetched."""
    return link.lower().startswith(WEB)


def printable(text: str) -> str:
    """Text that can be stored and shown: bytes that were no UTF-8 as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
