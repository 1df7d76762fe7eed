"""Watches the bytes of a fetch as they come: how many they are, and whether they are a video at all."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from curation.fetch.failures import FetchFailure
from curation.fetch.gate import Gate
from curation.media.container import HEAD_BYTES, sniff
from curation.outcomes import Outcome

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are there, and how many there will be if that is known."""

_SOUND = (b"ID3", b"fLaC", b"RIFF")


class Watch:
    """What yt-dlp tells while it downloads; sums over the tracks of a video that come as files of their own.

    yt-dlp compares sizes with its limit only where a server states them; here the bytes themselves are counted.
    """

    def __init__(self, *, gate: Gate, max_bytes: int, progress: Progress | None = None) -> None:
        self._gate = gate
        self._max_bytes = max_bytes
        self._progress = progress
        self._there: dict[str, int] = {}
        self.begun = False
        """Whether the site has told all about the video, so that its bytes are next."""

    def on_progress(self, state: dict[str, Any]) -> None:
        """A hook for yt-dlp.

        Raises:
            FetchFailure: the deadline has passed, there are too many bytes, or a finished file is no media.
        """
        if self._gate.late:
            # A connection that the gate has ended looks like the end of a file whose length nobody stated.
            raise FetchFailure(Outcome.TIMED_OUT, "it was not done at the deadline")
        name = str(state.get("filename"))
        self._there[name] = max(state.get("downloaded_bytes") or 0, self._there.get(name, 0))
        there = sum(self._there.values())
        if there > self._max_bytes:
            raise FetchFailure(Outcome.TOO_LARGE, f"more than {self._max_bytes} bytes")
        if state.get("status") == "finished":
            check_media(Path(name))
        if self._progress:
            self._progress(there, state.get("total_bytes"))


def check_media(path: Path) -> None:
    """Look at a file's first bytes, before any other program does: it must be a media container.

    Raises:
        FetchFailure: `EMPTY_FILE` or `NOT_A_VIDEO`.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise FetchFailure(Outcome.EMPTY_FILE)
    if sniff(head) is None and not _is_sound(head):
        # Not which bytes they are: the file may be anything that a list leads to, and details are shown to many.
        raise FetchFailure(Outcome.NOT_A_VIDEO, "its first bytes are those of no media container that is known")


def _is_sound(head: bytes) -> bool:
    """A sound track that a site offers apart from the picture may be bare MP3, AAC, FLAC or WAV."""
    return head.startswith(_SOUND) or (head[0] == 0xFF and head[1:2] >= b"\xe0")
