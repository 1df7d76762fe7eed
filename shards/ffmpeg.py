"""Where the ffmpeg program is: on PATH, else the one that the imageio-ffmpeg package carries."""

import shutil
from functools import cache
from pathlib import Path

from shards.errors import Unavailable


@cache
def ffmpeg_binary() -> Path:
    """The ffmpeg program to run.

    Raises:
        Unavailable: neither PATH nor imageio-ffmpeg has one for this platform.
    """
    if found := shutil.which("ffmpeg"):
        return Path(found)
    import imageio_ffmpeg

    try:
        return Path(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise Unavailable(
            "there is no ffmpeg on PATH and none in imageio-ffmpeg for this platform",
            remedy="install ffmpeg with the system's package manager",
        ) from error
