"""Existing WebDataset tars as sources: each sample with a video is a row, words come from its `.txt` and `.json`.

Names inside a tar are not trusted: they only say which member is meant, never where anything is written.
"""

import json
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from curation.outcomes import Outcome
from curation.sources.base import Read, RowFault, SourceRow, printable
from curation.sources.folder import SUFFIXES
from curation.sources.rows import NAMES, columns_of, row_of
from curation.sources.settings import SourceSettings

MAX_TEXT_BYTES = 1 << 20


def read_webdataset(file: Path, settings: SourceSettings) -> Read:
    """A row for each sample of a tar that holds a video."""
    names, number = columns_of(settings.columns), 0
    try:
        with tarfile.open(file, "r:") as tar:
            for members in _samples(tar):
                video = next((one for one in members if _suffix(one) in SUFFIXES), None)
                if video:
                    number += 1
                    yield _row(tar, members, video, file, number, names)
    except (tarfile.TarError, OSError, EOFError) as error:
        yield RowFault(str(file), number + 1, Outcome.BAD_LINE, f"it is no whole tar: {error}")
        return
    if not number:
        yield RowFault(str(file), 0, Outcome.FILE_MISSING, "no sample of it holds a video")


def _samples(tar: tarfile.TarFile) -> Iterator[list[tarfile.TarInfo]]:
    """Members of one key after the other; WebDataset keeps those of a sample side by side."""
    key, members = "", list[tarfile.TarInfo]()
    for member in tar:
        # Links, devices and folders are nothing that a sample is made of.
        if not member.isreg():
            continue
        if (now := _key(member)) != key and members:
            yield members
            members = []
        key = now
        members.append(member)
    if members:
        yield members


def _row(
    tar: tarfile.TarFile,
    members: Sequence[tarfile.TarInfo],
    video: tarfile.TarInfo,
    file: Path,
    number: int,
    names: dict[str, tuple[str, ...]],
) -> SourceRow | RowFault:
    if printable(video.name) != video.name:
        return RowFault(str(file), number, Outcome.BAD_ENCODING, f"its name is not UTF-8: {printable(video.name)}")
    # Where the video was found once is not where it is fetched from now.
    elsewhere = {*names["link"], *names["path"]}
    words = {name: value for name, value in _words(tar, members).items() if name not in elsewhere}
    row = row_of(words | {NAMES["path"][0]: file.name}, file, number, names | {"path": NAMES["path"]})
    return row if isinstance(row, RowFault) else replace(row, member=video.name)


def _words(tar: tarfile.TarFile, members: Sequence[tarfile.TarInfo]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for member in members:
        if _suffix(member) not in (".txt", ".json") or member.size > MAX_TEXT_BYTES:
            continue
        file = tar.extractfile(member)
        text = file.read().decode("utf-8", "surrogateescape") if file else ""
        if _suffix(member) == ".txt":
            found.setdefault("caption", text.strip())
            continue
        try:
            told = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(told, dict):
            found |= {
                name.strip().lower(): value for name, value in told.items() if isinstance(value, str | int | float)
            }
    return found


def _key(member: tarfile.TarInfo) -> str:
    """Folder and name up to its first dot, as WebDataset has it."""
    path = PurePosixPath(member.name)
    return f"{path.parent}/{path.name.partition('.')[0]}"


def _suffix(member: tarfile.TarInfo) -> str:
    return PurePosixPath(member.name).suffix.lower()
