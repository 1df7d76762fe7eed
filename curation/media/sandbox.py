"""Decode untrusted files in processes that may die: killed at a deadline, capped in memory, without a network.

`MediaWorkers` offers the analysis, the cut and the join as they are, with the same arguments and the same failures; a
worker does many jobs, so that starting it costs nothing a video.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import LifoQueue
from typing import Any, TypeVar

from curation.media.cut import CutClip
from curation.media.failures import MediaFailure, Stopped
from curation.media.join import Joined
from curation.media.look import Frames
from curation.media.process import GIB, START_WITHIN_S, Confined
from curation.media.settings import AnalysisSettings, CutSettings, SandboxSettings
from curation.media.timeline import Timeline
from curation.media.wire import Gone, WireError, receive, send, unpacked
from curation.outcomes import Outcome

Made = TypeVar("Made")

SMALL_ANSWER_BYTES = 64 << 20
"""What any file may yield: ten seconds of pictures for a score, say [ours]."""

ANSWER_PER_BYTE = 50_000
"""What a byte of a file may yield beyond that: silence in FLAC gives 37,000, at 14 bytes for 65,535 samples [ours]."""


class MediaWorkers:
    """A pool of confined processes; threads may share it, each call borrows one worker.

    Workers start when they are first needed. They end with the `with` block, and when this process ends in whatever
    way.
    """

    def __init__(
        self,
        count: int | None = None,
        settings: SandboxSettings | None = None,
        analysis: AnalysisSettings | None = None,
    ) -> None:
        """`analysis` says what is refused, in the analysis and in the cut, where a call does not say it itself."""
        self.settings = settings or SandboxSettings()
        self._analysis = analysis or AnalysisSettings()
        self.count = count or self.settings.workers or os.cpu_count() or 1
        self._stopped = threading.Event()
        self._at_work: set[_Worker] = set()
        self._idle: LifoQueue[_Worker | None] = LifoQueue()
        for _ in range(self.count):
            self._idle.put(None)

    def __enter__(self) -> "MediaWorkers":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # Threads may still be at work when an exception, such as a signal's, ends the block.
        self.stop() if kind else self.close()

    def close(self) -> None:
        """End all workers that are not at work; the next job would start new ones."""
        idle = [self._idle.get_nowait() for _ in range(self._idle.qsize())]
        for worker in idle:
            if worker:
                worker.end()
            self._idle.put(None)

    def stop(self) -> None:
        """End all workers, those at work too: whoever waits for one, or asks for another, gets `Stopped`."""
        self._stopped.set()
        for worker in list(self._at_work):
            worker.kill()
        self.close()

    def analyse(
        self, path: Path, *, settings: AnalysisSettings | None = None, thumbnails: bool = True, pictures: bool = True
    ) -> Timeline:
        """`curation.media.analyse.analyse` in a worker.

        Raises:
            MediaFailure: as there, or the worker crashed, ran out of memory or did not end in time.
        """
        chosen = (settings or self._analysis).model_dump(mode="json")
        job = {"job": "analyse", "settings": chosen, "thumbnails": thumbnails, "pictures": pictures}
        return self._made(Timeline, job, path)

    def cut(
        self,
        source: Path,
        *,
        start_us: int,
        end_us: int,
        sound_offset_us: int = 0,
        settings: CutSettings | None = None,
        analysis: AnalysisSettings | None = None,
    ) -> CutClip:
        """`curation.media.cut.cut` in a worker.

        Raises:
            MediaFailure: as there, or the worker crashed, ran out of memory or did not end in time.
        """
        job = {
            "job": "cut",
            "settings": (settings or CutSettings()).model_dump(mode="json"),
            "analysis": (analysis or self._analysis).model_dump(mode="json"),
        }
        span = {"start_us": start_us, "end_us": end_us, "sound_offset_us": sound_offset_us}
        return self._made(CutClip, job | span, source)

    def look(
        self,
        path: Path,
        *,
        start_us: int,
        end_us: int,
        hz: float,
        short_px: int,
        side_px: int,
        settings: AnalysisSettings | None = None,
    ) -> Frames:
        """`curation.media.look.look` in a worker.

        Raises:
            MediaFailure: as there, or the worker crashed, ran out of memory or did not end in time.
        """
        job = {"job": "look", "settings": (settings or self._analysis).model_dump(mode="json")}
        view = {"start_us": start_us, "end_us": end_us, "hz": hz, "short_px": short_px, "side_px": side_px}
        return self._made(Frames, job | view, path)

    def join(self, picture: Path, sound: Path, *, into: Path, most_bytes: int) -> Joined:
        """`curation.media.join.join` in a worker.

        Raises:
            MediaFailure: as there, or the worker crashed, ran out of memory or did not end in time.
        """
        paths = {"sound": str(sound.absolute()), "into": str(into.absolute())}
        return self._made(Joined, {"job": "join", "most_bytes": most_bytes} | paths, picture)

    def pids(self) -> list[int]:
        """Process ids of the workers that wait for a job."""
        idle = [self._idle.get_nowait() for _ in range(self._idle.qsize())]
        for worker in idle:
            self._idle.put(worker)
        return [worker.pid for worker in idle if worker]

    def at_work(self) -> list[int]:
        """Process ids of the workers that have a job."""
        return [worker.pid for worker in list(self._at_work)]

    def offline(self) -> bool:
        """Whether workers on this machine have no network."""
        with self._borrowed() as worker:
            return worker.offline

    def _made(self, kind: type[Made], job: dict[str, Any], path: Path) -> Made:
        most = _most_answered(path, self.settings)
        try:
            with self._borrowed() as worker:
                head, blobs = worker.ask(job | {"path": str(path.absolute()), "cpu_s": self.settings.cpu_s}, most)
        except MediaFailure as failure:
            if self._stopped.is_set():
                # It says nothing of the file.
                raise Stopped from failure
            raise
        if "outcome" in head:
            raise MediaFailure(Outcome(head["outcome"]), str(head.get("detail", "")))
        try:
            return unpacked(kind, head.get("made") or {}, blobs)
        except WireError as error:
            raise MediaFailure(Outcome.DECODER_CRASHED, f"it answered nonsense: {error}") from error

    @contextmanager
    def _borrowed(self) -> "Iterator[_Worker]":
        worker = self._idle.get()
        try:
            worker = worker or _Worker(self.settings)
            self._at_work.add(worker)
            # Looked at after it can be found: a stop that did not see it has been asked for by now.
            if self._stopped.is_set():
                worker.kill()
                raise Stopped
            yield worker
        finally:
            self._at_work.discard(worker)
            if worker and (worker.ended or self._stopped.is_set() or worker.jobs >= self.settings.jobs_per_worker):
                worker.end()
                worker = None
            self._idle.put(worker)


def _most_answered(path: Path, settings: SandboxSettings) -> int:
    """Most bytes that are taken from a worker about a file: a small one that says it lasts for hours fills nothing."""
    size = path.stat().st_size if path.is_file() else 0
    return min(int(settings.memory_gib * GIB), SMALL_ANSWER_BYTES + size * ANSWER_PER_BYTE)


class _Worker:
    """One process and the talk with it."""

    def __init__(self, settings: SandboxSettings) -> None:
        self.jobs = 0
        self._settings = settings
        self._process = Confined("curation.media.worker", self._limits())
        self.offline = bool(self._talk(None, START_WITHIN_S)[0].get("offline"))

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it is gone."""
        return self._process.ended

    def ask(self, job: dict[str, Any], max_bytes: int) -> tuple[dict[str, Any], list[bytes]]:
        """Have a job done, whose answer has at most so many bytes.

        Raises:
            MediaFailure: the worker did not live to answer it.
        """
        self.jobs += 1
        return self._talk(job, self._settings.deadline_s, max_bytes)

    def end(self) -> None:
        """See `Confined.end`."""
        self._process.end()

    def kill(self) -> None:
        """Have it gone at once; whoever talks with it notices, and ends it."""
        self._process.kill()

    def _talk(
        self, job: dict[str, Any] | None, within_s: float, max_bytes: int = 0
    ) -> tuple[dict[str, Any], list[bytes]]:
        process = self._process
        with process.killed_after(within_s) as late:
            try:
                if job is not None:
                    send(process.questions, job)
                answer = receive(process.answers, max_bytes=max_bytes)
            except (WireError, OSError) as error:
                self.end()
                if isinstance(error, WireError) and not isinstance(error, Gone):
                    raise MediaFailure(Outcome.TOO_MUCH_MEMORY, f"what it made of the file: {error}") from error
                raise self._why(late=late.is_set(), told=str(error)) from error
            except BaseException:
                # Ctrl-C between question and answer: the next borrower must not read an answer to another's question.
                self.end()
                raise
        if late.is_set():
            # The time was up just as it answered.
            self.end()
        return answer

    def _why(self, *, late: bool, told: str) -> MediaFailure:
        code = self._process.code
        if late:
            return MediaFailure(Outcome.DECODE_TIMED_OUT, f"it was not done after {self._settings.deadline_s:g} s")
        if code == -signal.SIGXCPU:
            return MediaFailure(Outcome.DECODE_TIMED_OUT, f"it used {self._settings.cpu_s:g} s of processor time")
        if code == -signal.SIGKILL:
            return MediaFailure(Outcome.TOO_MUCH_MEMORY, "the system killed its process")
        return MediaFailure(Outcome.DECODER_CRASHED, f"{self._process.ending}; {told}")

    def _limits(self) -> tuple[str, str]:
        return str(int(self._settings.memory_gib * GIB)), str(int(self._settings.file_gib * GIB))
