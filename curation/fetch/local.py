"""Take a file of this machine: looked at before it is read through, since it may be anything and of any length."""

import stat
import time
from collections.abc import Callable
from pathlib import Path

from curation.fetch.failures import FetchFailure
from curation.fetch.settings import FetchSettings
from curation.fetch.site import Fetched, SiteFacts, fetched
from curation.fetch.watch import check_media
from curation.media.failures import Stopped
from curation.outcomes import Outcome


def take_local(
    path: Path, settings: FetchSettings | None = None, *, stopped: Callable[[], bool] = lambda: False
) -> Fetched:
    """A file that is already on this machine, used where it lies.

    Its length and its first bytes are looked at first; reading it through ends at the deadline of a fetch, and where
    `stopped` says that the run does.

    Raises:
        FetchFailure: there is no such file, it cannot be read, is too large, no media, or takes too long.
        Stopped: the run ends.
    """
    settings, start = settings or FetchSettings(), time.perf_counter()

    def between() -> None:
        if stopped():
            raise Stopped
        if time.perf_counter() - start > settings.deadline_s:
            raise FetchFailure(Outcome.TIMED_OUT, "it was not read through at the deadline")

    try:
        _check_length(path, settings)
        check_media(path)
        return fetched(path, SiteFacts(), start, between=between)
    except FileNotFoundError as error:
        raise FetchFailure(Outcome.FILE_MISSING, f"there is no file {path}") from error
    except OSError as error:
        raise FetchFailure(Outcome.FILE_MISSING, f"{path} cannot be read: {error.strerror}") from error


def _check_length(path: Path, settings: FetchSettings) -> None:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise FetchFailure(Outcome.FILE_MISSING, f"{path} is no file")
    if status.st_size > settings.max_bytes:
        raise FetchFailure(
            Outcome.TOO_LARGE, f"{status.st_size} bytes, where `fetch.max_bytes` is {settings.max_bytes}"
        )
