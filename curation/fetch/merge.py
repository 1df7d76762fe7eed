"""Picture and sound that a site offers apart, put together in a confined worker rather than by ffmpeg in our own name.

The tracks are as hostile as any file: the worker that joins them has the limits of those that decode, and what is left
of the fetch's deadline. The cage asks for it; what it names is looked for among the files of this very fetch.
"""

from pathlib import Path
from typing import Any

from curation.fetch.failures import FetchFailure
from curation.fetch.line import Line
from curation.media.failures import MediaFailure
from curation.media.process import GIB
from curation.media.sandbox import MediaWorkers
from curation.media.settings import SandboxSettings
from curation.outcomes import Outcome

ABOVE = 1.1
"""A file may be so much larger than the packets in it."""

LEAST_S = 0.001
"""A limit of no time at all would be no limit."""

OF_THE_WORKER = frozenset({Outcome.DECODE_FAILED, Outcome.DECODER_CRASHED, Outcome.TOO_MUCH_MEMORY})
"""Outcomes whose remedies speak of decoding, which is not what was done."""


class Merger:
    """In the cage, where yt-dlp would run ffmpeg: takes its record of a video, hands back what can be deleted."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def run(self, info: dict[str, Any]) -> tuple[list[str], dict[str, Any]]:
        """Write `filepath` of the tracks in `requested_formats`.

        Raises:
            FetchFailure: the tracks are not what they are said to be, or the deadline has passed.
        """
        picture, sound = _tracks(info["requested_formats"])
        self._line.ask("join", picture=picture.name, sound=sound.name, whole=Path(info["filepath"]).name)
        return [str(picture), str(sound)], info


def join_tracks(picture: Path, sound: Path, whole: Path, *, max_bytes: int, left_s: float) -> str:
    """Write the file `whole` of two tracks, within so many seconds; returns which tracks gave way.

    Raises:
        FetchFailure: the tracks are not what they are said to be, or the time is up.
    """
    made = whole.with_suffix(".temp")
    try:
        with MediaWorkers(count=1, settings=_limits(max_bytes, max(left_s, LEAST_S))) as workers:
            joined = workers.join(picture, sound, into=made, most_bytes=max_bytes)
    except MediaFailure as failure:
        made.unlink(missing_ok=True)
        raise FetchFailure(_outcome(failure), f"picture and sound: {failure.detail}") from failure
    made.replace(whole)
    return joined.notes


def _limits(max_bytes: int, left_s: float) -> SandboxSettings:
    file_gib = (max_bytes * ABOVE + (1 << 20)) / GIB
    return SandboxSettings(deadline_s=left_s, cpu_s=min(SandboxSettings().cpu_s, left_s), file_gib=file_gib)


def _outcome(failure: MediaFailure) -> Outcome:
    if failure.outcome is Outcome.DECODE_TIMED_OUT:
        return Outcome.TIMED_OUT
    return Outcome.MERGE_FAILED if failure.outcome in OF_THE_WORKER else failure.outcome


def _tracks(formats: list[dict[str, Any]]) -> tuple[Path, Path]:
    """Where the picture and the sound lie, by what the site says of them."""
    picture = next((one for one in formats if one.get("vcodec") != "none"), None)
    sound = next((one for one in formats if one is not picture and one.get("acodec") != "none"), None)
    if picture is None or sound is None:
        raise FetchFailure(Outcome.NO_VIDEO if picture is None else Outcome.NO_AUDIO, "it was offered without")
    return Path(picture["filepath"]), Path(sound["filepath"])
