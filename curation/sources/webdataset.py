"""Existing WebDataset tars as sources: each video in one is a row, words come from its `.txt` and `.json`.

Names inside a tar are not trusted: they only say which member is meant, never where anything is written. Members of a
sample need not stand side by side. Words without a video, and members that are no plain files, are told one by one.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from curation.fetch.tars import BadTar, Kind, Member, members, read_member
from curation.media.container import HEAD_BYTES
from curation.outcomes import Outcome
from curation.sources.base import Read, RowFault, SourceRow, surrogates_escaped
from curation.sources.rows import NAMES, columns_of, row_of
from curation.sources.samples import paired
from curation.sources.settings import SourceSettings
from curation.sources.suffixes import SUFFIXES, begins_as_media
from curation.sources.text import decode_text

MAX_TEXT_BYTES = 1 << 20
WORDS = (".txt", ".json")
Names = Mapping[str, tuple[str, ...]]


def read_webdataset(file: Path, settings: SourceSettings) -> Read:
    """A row for each video of a tar."""
    names = columns_of(settings.columns)
    with file.open("rb") as tar:
        found = _Contents()
        yield from found.gather(tar, str(file))
        words = found.words
        pairs, alone = paired(list(found.videos), list(words))
        for name, video in found.videos.items():
            yield _row(tar, [words[one] for one in pairs[name]], video, file, names)
    if found.videos:
        for name in alone:
            detail = f"no video of this tar goes with {surrogates_escaped(name)}"
            yield RowFault(str(file), words[name].number, Outcome.FILE_MISSING, detail)
    elif not found.broken:
        yield RowFault(str(file), 0, Outcome.FILE_MISSING, "no sample of it holds a video")


@dataclass
class _Contents:
    """What a tar holds that is for us: the first member of each name."""

    videos: dict[str, Member] = field(default_factory=dict)
    words: dict[str, Member] = field(default_factory=dict)
    broken: bool = False

    def gather(self, tar: BinaryIO, table: str) -> Iterable[RowFault]:
        """Read it through; what cannot be taken is told."""
        number = 0
        try:
            for member in members(tar):
                number = member.number
                place = tar.tell()
                if wrong := self._take(tar, member):
                    outcome, detail = wrong
                    yield RowFault(table, number, outcome, surrogates_escaped(f"{member.name}: {detail}"))
                tar.seek(place)
        except (BadTar, OSError) as error:
            self.broken = True
            yield RowFault(table, number + 1, Outcome.BAD_LINE, surrogates_escaped(f"it is no whole tar: {error}"))

    def _take(self, tar: BinaryIO, member: Member) -> tuple[Outcome, str] | None:
        suffix = _suffix(member.name)
        if PurePosixPath(member.name).name.startswith("."):
            # As in folders: some systems leave such next to real ones.
            return None
        if member.kind is not Kind.FILE:
            ours = member.kind is not Kind.FOLDER and suffix in SUFFIXES.union(WORDS)
            return (Outcome.NOT_A_VIDEO, f"it is {member.kind.value}, no plain file") if ours else None
        if suffix in WORDS:
            known = self.words
        elif suffix in SUFFIXES or begins_as_media(read_member(tar, member, HEAD_BYTES)):
            known = self.videos
        else:
            return None
        if (first := known.setdefault(member.name, member)) is not member:
            return Outcome.DUPLICATE_ROW, f"the same name as member {first.number}"
        return None


def _row(
    tar: BinaryIO, words: Iterable[Member], video: Member, file: Path, names: dict[str, tuple[str, ...]]
) -> SourceRow | RowFault:
    if surrogates_escaped(video.name) != video.name:
        detail = f"its name is not UTF-8: {surrogates_escaped(video.name)}"
        return RowFault(str(file), video.number, Outcome.BAD_ENCODING, detail)
    told, notes = _told(tar, words)
    # Where the video was found once is not where it is fetched from now.
    elsewhere = {*names["link"], *names["path"]}
    fields = {name: value for name, value in told.items() if name not in elsewhere}
    row = row_of(fields | {NAMES["path"][0]: file.name}, file, video.number, names | {"path": NAMES["path"]})
    if isinstance(row, RowFault):
        return row
    return replace(row, member=video.name, note="; ".join(filter(None, [row.note, *map(surrogates_escaped, notes)])))


def _told(tar: BinaryIO, words: Iterable[Member]) -> tuple[dict[str, Any], list[str]]:
    """What the words say about a video, and which of them could not be taken."""
    found: dict[str, Any] = {}
    notes = []
    for member in words:
        if member.size > MAX_TEXT_BYTES:
            notes.append(f"{member.name} is not read: it has {member.size} bytes")
            continue
        text = decode_text(read_member(tar, member, MAX_TEXT_BYTES))
        if _suffix(member.name) == ".txt":
            if "caption" in found:
                notes.append(f"{member.name} is not taken: there are other words for it")
            found.setdefault("caption", text.strip())
        elif isinstance(fields := _json(text), dict):
            # What a `.txt` says comes before what stands among other facts.
            found = {name.strip().lower(): value for name, value in fields.items()} | found
        else:
            notes.append(f"{member.name} is not taken: it is no JSON object")
    return found, notes


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()
