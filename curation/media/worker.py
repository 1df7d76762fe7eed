"""The other side of `sandbox.py`: a process that confines itself, then works on files until its pipe ends.

Run as `python -m curation.media.worker`; its standard input and output carry messages of `wire.py`.
"""

import os
import shutil
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import IO, Any

from curation.media.confine import allow_cpu, end_with, give_back_memory, leave_network, limit

_JOBS_BETWEEN_TRIMS = 16


def main() -> None:
    """Entry point: the confinement is told on the command line, since nothing may be imported before it."""
    memory_bytes, file_bytes, lifeline = map(int, sys.argv[1:4])
    replies = os.fdopen(os.dup(1), "wb")
    # Whatever a library prints must not get between the messages.
    os.dup2(2, 1)
    offline = leave_network()
    end_with(lifeline, folder=os.environ["TMPDIR"])
    limit(memory_bytes=memory_bytes, file_bytes=file_bytes)
    _serve(sys.stdin.buffer, replies, offline=offline)
    # The pipe of jobs may be seen to end before the lifeline is.
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)


def _serve(jobs: IO[bytes], replies: IO[bytes], *, offline: bool) -> None:
    from curation.media.wire import WireError, receive, send

    send(replies, {"offline": offline})
    for number in count(1):
        try:
            job, _ = receive(jobs, max_bytes=0)
        except WireError:
            return
        allow_cpu(job["cpu_s"])
        head, blobs = _done(job)
        send(replies, head, blobs)
        if number % _JOBS_BETWEEN_TRIMS == 0:
            del head, blobs
            give_back_memory()


def _done(job: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    from curation.media.failures import MediaFailure
    from curation.media.wire import packed
    from curation.outcomes import Outcome

    try:
        made, blobs = packed(JOBS[job["job"]](job))
    except MediaFailure as failure:
        return {"outcome": failure.outcome, "detail": failure.detail}, []
    except MemoryError:
        return {"outcome": Outcome.TOO_MUCH_MEMORY, "detail": ""}, []
    except Exception as error:
        # A file that makes a library raise what nobody expected is a broken file, not a broken run.
        return {"outcome": Outcome.DECODE_FAILED, "detail": f"{type(error).__name__}: {error}"[:500]}, []
    return {"made": made}, blobs


def _analyse(job: dict[str, Any]) -> Any:
    from curation.media.analyse import analyse
    from curation.media.settings import AnalysisSettings

    settings = AnalysisSettings.model_validate(job["settings"])
    return analyse(Path(job["path"]), settings=settings, thumbnails=job["thumbnails"], pictures=job["pictures"])


def _cut(job: dict[str, Any]) -> Any:
    from curation.media.cut import cut
    from curation.media.settings import AnalysisSettings, CutSettings

    return cut(
        Path(job["path"]),
        start_us=job["start_us"],
        end_us=job["end_us"],
        sound_offset_us=job["sound_offset_us"],
        settings=CutSettings.model_validate(job["settings"]),
        analysis=AnalysisSettings.model_validate(job["analysis"]),
    )


def _look(job: dict[str, Any]) -> Any:
    from curation.media.look import look
    from curation.media.settings import AnalysisSettings

    view = {name: job[name] for name in ("start_us", "end_us", "hz", "short_px", "side_px")}
    return look(Path(job["path"]), settings=AnalysisSettings.model_validate(job["settings"]), **view)


def _join(job: dict[str, Any]) -> Any:
    from curation.media.join import join

    return join(Path(job["path"]), Path(job["sound"]), into=Path(job["into"]), most_bytes=job["most_bytes"])


JOBS: dict[str, Callable[[dict[str, Any]], Any]] = {"analyse": _analyse, "cut": _cut, "look": _look, "join": _join}

if __name__ == "__main__":
    main()
