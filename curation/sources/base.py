"""What a source list yields: rows to fetch, and faults that keep a line from being a row."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from curation.outcomes import Outcome
from curation.sources.identity import canonical_link

ID_DIGITS = 20
WEB = ("http://", "https://")
MEMBER = "!/"
_IN_TAR = re.compile(rf"(.*?\.tar){MEMBER}(.+)", re.I | re.S)


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One video, or a span of one, that somebody wants curated.

    Either `link` or `path` is set. Times are microseconds from the video's first frame, None where not given. `row`
    is the line of the table where the row begins, counted from 1 as an editor does; `member` names a file inside the
    tar at `path`. `note` tells what was odd about a line that is taken all the same.
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
    split: str = ""
    member: str | None = None
    note: str = ""

    @property
    def name(self) -> str:
        """The video's link, or the path of its file, with `!/MEMBER` behind it where that is a member of a tar."""
        if self.link is not None:
            return self.link
        return f"{self.path}{MEMBER}{self.member}" if self.member else str(self.path)

    @property
    def source_id(self) -> str:
        """The id of the video behind it: the same for the same link or file, whatever the span."""
        return video_id(canonical_link(self.link) if self.link is not None else self.name)


@dataclass(frozen=True, slots=True)
class RowFault:
    """A line that is no usable row; `row` 0 stands for the whole list, which may be asked again at `retry_at`.

    `unwanted` is the row that it would have been, where nothing but our settings keep it out and no other line of the
    same reading brings it in.
    """

    table: str
    row: int
    outcome: Outcome
    detail: str
    retry_at: datetime | None = None
    unwanted: SourceRow | None = None


Read = Iterator[SourceRow | RowFault]


def video_id(name: str) -> str:
    """The id of a canonical link or a path."""
    return hashlib.sha256(name.encode()).hexdigest()[:ID_DIGITS]


def ids_of(item: str) -> set[str]:
    """The ids of the video that a person means by a link in any spelling, or by a path from where they are."""
    return {video_id(canonical_link(item)), video_id(path_from_here(item))}


def path_from_here(item: str) -> str:
    """A path as the ledger has it, also of a member of a tar; what can be no path stays as it is."""
    file, member = split_member(item)
    try:
        return f"{Path(file).resolve()}{MEMBER}{member}" if member else str(Path(file).resolve())
    except (OSError, RuntimeError, ValueError):
        return item


def split_member(name: str) -> tuple[str, str]:
    """The path of a tar and the name of its member; the path alone, and nothing, where none is named."""
    found = _IN_TAR.fullmatch(name)
    return (found[1], found[2]) if found else (name, "")


def is_web(link: str) -> bool:
    """Whether a link is http or https, the only ones that are ever fetched."""
    return link.lower().startswith(WEB)


def surrogates_escaped(text: str) -> str:
    """Text that can be stored and shown: bytes that were no UTF-8 as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
