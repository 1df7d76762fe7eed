"""How long fetched videos stay on the disk, and how much of it they may take.

What leaves is fetched again when something needs it: a clip that is cut anew, or a new score. Files of the user's own
are never touched, only what was fetched into the home.
"""

import shutil
import threading
import time
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from curation.home.folder import Home

GIB = 1 << 30

COUNT_AGAIN_S = 60.0
"""How often the folder is counted anew, since other processes may share it [ours]."""

LOOK_S = 0.5


class Keep(StrEnum):
    """How long a fetched video stays."""

    ALWAYS = "always"
    UNTIL_PUBLISHED = "until_published"
    UNTIL_DECIDED = "until_decided"


class StoreSettings(BaseModel):
    """What fetched videos may take of the disk, and how long they stay on it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keep: Keep = Field(
        Keep.ALWAYS,
        description="how long fetched videos stay: always, until_published, or until_decided (once clips are cut); "
        "those that people are asked about stay till the answer; what is needed again is fetched again",
    )
    max_gib: float = Field(0.0, ge=0, description="most that fetched videos may take; 0 sets no limit")
    min_free_gib: float = Field(0.5, ge=0, description="no fetch begins while the disk has less room than this")


class NoRoom(Exception):
    """No further video may be fetched now; `why` is a sentence."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Room:
    """The room for fetched videos: whoever is about to fetch one comes in, and goes out when it is done with it.

    Threads share it. What the folder holds is counted now and then. For a video that is under way as much is set aside
    as the others took on average; under `max_gib` none is let in beside the first one until that has come.
    """

    def __init__(self, home: Home, settings: StoreSettings) -> None:
        self._folder, self._settings = home.videos, settings
        self._changed = threading.Condition()
        self._inside, self._under_way = 0, 0
        self._taken, self._counted_at = 0, float("-inf")
        self._came, self._came_bytes = 0, 0

    def enter(self) -> "Stay":
        """Wait until there is room for one more.

        Raises:
            NoRoom: there is none, and nobody is inside who could make some.
        """
        with self._changed:
            while (why := self._lacking()) and self._inside:
                self._changed.wait(LOOK_S)
            if why:
                raise NoRoom(why)
            self._inside, self._under_way = self._inside + 1, self._under_way + 1
        return Stay(self)

    def came(self, size: int) -> None:
        """A file of so many bytes is there now."""
        with self._changed:
            self._taken, self._under_way = self._taken + size, self._under_way - 1
            self._came, self._came_bytes = self._came + 1, self._came_bytes + size

    def freed(self, size: int) -> None:
        """A file of so many bytes has left."""
        with self._changed:
            self._taken -= size
            self._changed.notify_all()

    def leave(self, *, empty_handed: bool) -> None:
        """Whoever came in is done; `empty_handed` says that no file came."""
        with self._changed:
            self._inside -= 1
            self._under_way -= int(empty_handed)
            self._changed.notify_all()

    def _lacking(self) -> str:
        """Why no further video fits, "" where one does."""
        free, least = shutil.disk_usage(_existing(self._folder)).free, self._settings.min_free_gib
        expected = self._under_way * (self._came_bytes // max(self._came, 1))
        if free - expected < least * GIB:
            return f"the disk of {self._folder} has {free / GIB:.1f} GiB left, of which {least:g} GiB are to stay free"
        if not self._settings.max_gib:
            return ""
        if time.monotonic() - self._counted_at > COUNT_AGAIN_S:
            self._taken, self._counted_at = taken_by(self._folder), time.monotonic()
        unknown = bool(self._under_way) and not self._came
        if unknown or self._taken + expected >= self._settings.max_gib * GIB:
            return f"fetched videos take {self._taken / GIB:.1f} GiB of the {self._settings.max_gib:g} GiB they may"
        return ""


class Stay:
    """Somebody in the room, from before a fetch until its file is done with."""

    def __init__(self, room: Room) -> None:
        self._room, self._came = room, False

    def came(self, size: int) -> None:
        """The file is there."""
        self._came = True
        self._room.came(size)

    def end(self) -> None:
        """Go out."""
        self._room.leave(empty_handed=not self._came)


def taken_by(folder: Path) -> int:
    """Bytes of a folder's files."""
    return sum(one.stat().st_size for one in folder.iterdir() if one.is_file()) if folder.is_dir() else 0


def _existing(folder: Path) -> Path:
    return next(one for one in (folder, *folder.parents) if one.exists())
