"""Several processes for one stage: torchrun starts them, each runs `worker.py`.

On one machine a stage starts torchrun by itself (`processes`). On several, a person or a scheduler does, with a job
that `clapboard train --job` wrote.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

from shards import errors
from shards.errors import ClapboardError, TrainingError
from shards.files import write_atomic
from shards.leash import Leash
from training.loop.log import from_json
from training.progress import Progress
from training.settings.config import TrainConfig

LAST_WORDS = 2000
GRACE_S = 30.0
"""How long the processes have for a last checkpoint once this one has ended; torchrun gives them as long."""


def is_worker() -> bool:
    """Whether torchrun started this process."""
    return "WORLD_SIZE" in os.environ and "RANK" in os.environ


class Act(StrEnum):
    """What the processes do."""

    TRAIN = "train"
    CACHE = "cache"


def launch(
    act: Act, config: TrainConfig, *, snapshots_root: Path, runs_root: Path, progress: Progress | None
) -> dict[str, Any]:
    """Train a stage, or encode its snapshot, in `config.processes` processes of this machine; returns what they said.

    SIGTERM is passed on: the processes save a checkpoint and end.

    Raises:
        TrainingError: a process failed, and its last words are in the message; or all were stopped before the first
            step.
    """
    path, out, failed = (runs_root / "jobs" / f"{os.getpid()}{end}.json" for end in ("", ".result", ".error"))
    files = {"result": str(out), "failed": str(failed)}
    write_job(path, config, act=act, snapshots_root=snapshots_root, runs_root=runs_root, **files)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={config.processes}"]
    command += ["-m", "training.stages.worker", str(path)]
    with Leash(command, grace_s=GRACE_S, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        words = ""
        with _passing_on(running.process) as stopped:
            for line in running.process.stdout or ():
                if not _shown(line, progress):
                    words = (words + line)[-LAST_WORDS:]
    try:
        if failed.is_file():
            said = json.loads(failed.read_text(encoding="utf-8"))
            kind: type[ClapboardError] = getattr(errors, said["kind"], TrainingError)
            raise kind(said["message"], remedy=said["remedy"])
        if not out.is_file() and stopped.is_set():
            raise TrainingError(
                "stopped before the first step; what was encoded is kept", remedy="the same command goes on"
            )
        if not out.is_file():
            raise TrainingError(
                f"training in {config.processes} processes failed: {words}", remedy="see the lines above"
            )
        facts: dict[str, Any] = from_json(out.read_text(encoding="utf-8"))
        return facts
    finally:
        for file in (path, out, failed):
            file.unlink(missing_ok=True)


def write_job(
    path: Path, config: TrainConfig, *, act: Act = Act.TRAIN, snapshots_root: Path, runs_root: Path, **more: str
) -> None:
    """Write down a stage that torchrun can run in any number of processes, on any number of machines.

    Args:
        path: the job's file; every machine must see it, and both roots, at the same place.
        config: what to train.
        act: what the processes do.
        snapshots_root, runs_root: as for `train_stage`.
        more: `result` and `failed`, files for what another program wants to know.
    """
    roots = {"snapshots_root": str(snapshots_root), "runs_root": str(runs_root)}
    job = {"act": act, "config": config.model_dump(mode="json")} | roots | more
    write_atomic(path, json.dumps(job, indent=1).encode())


def _shown(line: str, progress: Progress | None) -> bool:
    """Whether a line was progress; it is passed on."""
    if not line.startswith('{"progress"'):
        return False
    if progress:
        progress(*json.loads(line)["progress"])
    return True


@contextmanager
def _passing_on(child: subprocess.Popen[str]) -> Iterator[threading.Event]:
    """Pass SIGTERM on to a child until the block ends, and note it; outside the main thread nobody sends us one."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return

    def pass_on(_number: int, _frame: Any) -> None:
        stopped.set()
        child.terminate()

    before = signal.signal(signal.SIGTERM, pass_on)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGTERM, before)
