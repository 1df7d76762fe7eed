"""Going on with a part only where it is a part of the same file: a file that changed is never spliced from two.

The server is asked with `If-Range` (RFC 9110, 13.1.5), by the entity tag or the date that it gave with the first bytes,
which are noted beside the part. A part about which nothing is noted, or of a server that names neither, is dropped;
so is one whose server sends another version's bytes all the same.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from curation.fetch.failures import FetchFailure
from curation.outcomes import Outcome

PART = ".part"

NOTE = ".ytdl"
"""Ending of the note instead of the part's own."""

LONGEST = 1024
"""Characters of a tag or date that are kept [ours]."""

RANGE_NOT_THERE = 416


@dataclass(frozen=True, slots=True)
class Version:
    """What a server says about which version of a file it sends; empty where it says nothing."""

    tag: str = ""
    date: str = ""
    total: int | None = None

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> "Version":
        """From the headers of an answer, whole or partial."""
        within = (headers.get("Content-Range") or "").rpartition("/")[2]
        whole = headers.get("Content-Length") if not headers.get("Content-Range") else within
        total = int(whole) if whole and whole.isascii() and whole.isdigit() and len(whole) < 20 else None
        return cls((headers.get("ETag") or "")[:LONGEST], (headers.get("Last-Modified") or "")[:LONGEST], total)

    @property
    def validator(self) -> str:
        """What goes into `If-Range`: a strong tag, else the date."""
        return self.tag if self.tag.startswith('"') else self.date

    def contradicts(self, other: "Version") -> bool:
        """Whether something that both say differs."""
        pairs = ((self.tag, other.tag), (self.date, other.date), (self.total, other.total))
        return any(ours != theirs for ours, theirs in pairs if ours and theirs)


class Resume:
    """Watches the requests for one file; `part` may hold its first bytes, and `note` says of which version."""

    def __init__(self, part: Path, note: Path | None) -> None:
        self._part, self._note = part, note
        self._known = noted(note) if note and self._there else None

    @property
    def _there(self) -> int:
        """How many bytes of the file are there."""
        return self._part.stat().st_size if self._part.is_file() else 0

    def ask(self, request: Any, own_range: str | None, send: Callable[[Any], Any]) -> Any:
        """The answer to a request of yt-dlp: of the rest of the file if it is the same one, else of all of it.

        `own_range` is what the file is of something larger, as in a manifest of byte ranges.
        """
        from yt_dlp.networking.exceptions import HTTPError

        if not self._there or not request.headers.get("Range"):
            return self._begun(send(request))
        known = self._known
        if known is None or not (known.validator or self._is_a_piece(request)):
            return self._begun(send(_whole(request, own_range)))
        if known.validator:
            request.headers["If-Range"] = known.validator
        try:
            answer = send(request)
        except HTTPError as error:
            if error.status != RANGE_NOT_THERE or known.total == self._there:
                raise
            return self._begun(send(_whole(request, own_range)))
        if answer.status != 206:
            return self._begun(answer)
        if known.contradicts(Version.of(answer.headers)):
            answer.close()
            return self._begun(send(_whole(request, own_range)))
        return answer

    def done(self) -> None:
        """All of the file is there: the note is of no use any more."""
        if self._note:
            self._note.unlink(missing_ok=True)

    @staticmethod
    def _is_a_piece(request: Any) -> bool:
        """Whether a part of stated end is asked for, as of files that are fetched in pieces in one go."""
        return not request.headers["Range"].endswith("-")

    def _begun(self, answer: Any) -> Any:
        """An answer from the first byte on; what is there of another version goes before the note says which it is."""
        version = Version.of(answer.headers)
        if self._there and (self._known != version or not version.validator):
            self._part.unlink()
        self._known = version
        if self._note and version.validator:
            self._note.write_text(json.dumps(asdict(version)))
        elif self._note:
            self._note.unlink(missing_ok=True)
        return answer


def _whole(request: Any, own_range: str | None) -> Any:
    copy = request.copy()
    copy.headers.pop("Range", None)
    copy.headers.pop("If-Range", None)
    if own_range:
        copy.headers["Range"] = own_range
    return copy


def noted(note: Path) -> Version | None:
    """Which version of a file a part is of; None where that is not known."""
    try:
        told = json.loads(note.read_text())
        tag, date, total = told["tag"], told["date"], told["total"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    known = isinstance(tag, str) and isinstance(date, str) and isinstance(total, int | None)
    return Version(tag, date, total) if known else None


def drop_pieces(file: Path) -> None:
    """Remove what an earlier try left of a file that comes in segments: nobody says whether they are still the same.

    Raises:
        FetchFailure: it cannot be removed.
    """
    left = [file.with_name(f"{file.name}{NOTE}"), file.with_name(f"{file.name}{PART}")]
    try:
        for path in (*left, *file.parent.glob(f"{file.name}{PART}-Frag*")):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise FetchFailure(Outcome.FETCH_FAILED, f"what an earlier try left cannot be removed: {error}") from error
