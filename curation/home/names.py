"""What a video is called in what leaves this machine: its link, or of a local file its name below its source.

The whole path of a file names folders, and often people, that are nobody's business; it stays in the ledger.
"""

from pathlib import Path, PurePath
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from curation.ledger.tables import SourceEntry, Video
from curation.sources.base import MEMBER, split_member


class Named(Protocol):
    """A video, or what is known of one: its link, and whether that is a local file."""

    @property
    def link(self) -> str: ...  # noqa: D102

    @property
    def local(self) -> bool: ...  # noqa: D102


def published_name(video: Named, table: str) -> str:
    """The link of a video as a published record has it.

    Of a file below a source folder its path from there, of one that a table or a list names its path from the folder
    that the table lies in, else its bare name; members of a tar have theirs behind it.

    Args:
        video: the video.
        table: the source that the clip's row came from.
    """
    if not video.local:
        return video.link
    file, member = split_member(video.link)
    path = PurePath(file)
    # A source may be named by a symbolic link; files are known by where they really are.
    bases = [one for name in (Path(table), Path(table).resolve()) for one in (name, name.parent)]
    inside = next((path.relative_to(base) for base in bases if path != base and path.is_relative_to(base)), None)
    name = (inside or PurePath(path.name)).as_posix()
    return f"{name}{MEMBER}{member}" if member else name


def videos_published_as(session: Session, name: str) -> list[str]:
    """Ids of the local files that published records call so."""
    ends = Video.link.endswith(f"/{name}", autoescape=True)
    rows = (
        select(Video.id, SourceEntry.table_name)
        .join(SourceEntry, SourceEntry.video_id == Video.id)
        .where(Video.local, ends)
        .distinct()
    )
    named = session.execute(rows).tuples().all()
    return sorted({one for one, table in named if published_name(session.get_one(Video, one), table) == name})
