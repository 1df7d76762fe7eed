"""Which ffmpeg program is run: the one that imageio-ffmpeg carries, unless `CLAPBOARD_FFMPEG` names another.

What happens to be on PATH is not asked: programs of different years write different files, and a result must not hang
on what else a machine has installed. (The Matroska that FFmpeg 5 writes has Opus 6.5 ms early, for instance.)
"""

import os
import shutil
from functools import cache
from pathlib import Path

from shards.errors import Unavailable

VARIABLE = "CLAPBOARD_FFMPEG"


def ffmpeg_binary() -> Path:
    """The ffmpeg program to run.

    Raises:
        Unavailable: the setting names no program, or imageio-ffmpeg has none for this platform.
    """
    named = os.environ.get(VARIABLE)
    return _named(named) if named else _bundled()


def _named(name: str) -> Path:
    """The program of a path, or of a name on PATH."""
    found = shutil.which(name)
    if found is None:
        raise Unavailable(
            f"{VARIABLE} is {name!r}, and there is no such program",
            remedy=f"let {VARIABLE} name an ffmpeg, or unset it to use the one that is bundled",
        )
    return Path(found)


@cache
def _bundled() -> Path:
    import imageio_ffmpeg

    # The package would look on PATH and at a variable of its own.
    folder = Path(imageio_ffmpeg.__file__).parent / "binaries"
    found = next((one for one in sorted(folder.glob("ffmpeg-*")) if os.access(one, os.X_OK)), None)
    if found is None:
        raise Unavailable(
            "imageio-ffmpeg carries no ffmpeg for this platform",
            remedy=f"install ffmpeg with the system's package manager and set {VARIABLE}=ffmpeg",
        )
    return found
