"""Which rows of the lists are wanted: splits, hosts, licences, and what must never come in."""

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from curation.fetch.egress import is_below
from curation.outcomes import Outcome
from curation.sources.base import RowFault, SourceRow, is_web, video_id
from curation.sources.identity import YOUTUBE_ID, canonical_link, youtube_link
from curation.sources.licence import licence_allowed
from curation.sources.settings import SourceSettings
from curation.sources.text import MARK, decode_text
from shards.errors import BadInput

_CLIP_NAME = re.compile(r"([A-Za-z0-9_-]{11})_\d{6}(\.\w+)?")
"""A clip of VGGSound or AVSync15 by the name of its file: YouTube id and start second."""


class Selection:
    """Says of each row whether it is wanted."""

    def __init__(self, settings: SourceSettings) -> None:
        """Reads the lists of what is excluded.

        Raises:
            BadInput: one of them cannot be read.
        """
        self._settings = settings
        self._videos, self._names = _excluded(settings.exclude)

    def __call__(self, row: SourceRow) -> SourceRow | RowFault | None:
        """The row, the fault why it is not wanted, or None where its split was not asked for."""
        if self._settings.splits and row.split not in self._settings.splits:
            return None
        if row.source_id in self._videos or _stem(row) in self._names:
            return _fault(row, Outcome.EXCLUDED, "it is on a list of `sources.exclude`")
        if row.link and self._settings.hosts and not is_below(row.link, self._settings.hosts):
            return _fault(row, Outcome.HOST_NOT_ALLOWED, f"{urlsplit(row.link).hostname} is not in `sources.hosts`")
        # Of what names no licence the site may state one yet; that is looked at when it is fetched.
        if row.licence and not licence_allowed(row.licence, self._settings.licences):
            return _fault(row, Outcome.LICENCE_NOT_ALLOWED, f"it is {row.licence}")
        return row


def _excluded(lists: Sequence[Path]) -> tuple[set[str], set[str]]:
    """Ids of videos, and names of files without endings, that the lists name; one a line, or a table's first column."""
    videos, names = set[str](), set[str]()
    for file in lists:
        try:
            text = decode_text(file.read_bytes())
        except OSError as error:
            raise BadInput(f"{file} cannot be read: {error.strerror}", remedy="check `sources.exclude`") from error
        for line in text.replace(MARK, "").splitlines():
            first = line.strip() if is_web(line.strip()) else re.split(r"[,;\t]", line.strip())[0].strip().strip('"')
            if not first or first.startswith("#"):
                continue
            clip = _CLIP_NAME.fullmatch(first)
            if is_web(first):
                videos.add(video_id(canonical_link(first)))
            elif clip or YOUTUBE_ID.fullmatch(first):
                videos.add(video_id(youtube_link(clip[1] if clip else first)))
            names.add(Path(first).stem)
    return videos, names


def _stem(row: SourceRow) -> str:
    """The name of a file without its ending; of a link nothing, since there it means little."""
    return "" if row.link else Path(row.member or row.path or "").stem


def _fault(row: SourceRow, outcome: Outcome, detail: str) -> RowFault:
    return RowFault(row.table, row.row, outcome, f"{row.name}: {detail}", unwanted=row)
