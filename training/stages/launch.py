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
from pathlib import Path

from shards import errors
from shards.errors import ClapboardError, TrainingError
from shards.files import write_atomic
from shards.leash import Leash
from training.loop.log import from_json
from training.progress import Progress
from training.settings.config import TrainConfig
from training.stages.result import StageResult, stage_result

LAST_WORDS = 2000
GRACE_S = 30.0
"""How long the processes have for a last checkpoint once this one has ended; torchrun gives them as long."""


def is_worker() -> bool:
    """Whether torchrun started this process."""
    return "WORLD_SIZE" in os.environ and "RANK" in os.environ


def launch(config: TrainConfig, *, snapshots_root: Path, runs_root: Path, progress: Progress | None) -> StageResult:
    """Run a stage in `config.processes` processes of this machine, and return what it left.

    SIGTERM is passed on: the processes save a checkpoint and end.

    Raises:
        TrainingError: a process failed; its last words are in the message.
    """
    path, out, failed = (runs_root / "jobs" / f"{os.getpid()}{end}.json" for end in ("", ".result", ".error"))
    write_job(path, config, snapshots_root=snapshots_root, runs_root=runs_root, result=str(out), failed=str(failed))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={config.processes}"]
    command += ["-m", "training.stages.worker", str(path)]
    with Leash(command, grace_s=GRACE_S, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        words = ""
        with _passing_on(running.process):
            for line in running.process.stdout or ():
                if not _shown(line, progress):
                    words = (words + line)[-LAST_WORDS:]
    try:
        if failed.is_file():
            said = json.loads(failed.read_text(encoding="utf-8"))
            kind: type[ClapboardError] = getattr(errors, said["kind"], TrainingError)
            raise kind(said["message"], remedy=said["remedy"])
        if not out.is_file():
            raise TrainingError(
                f"training in {config.processes} processes failed: {words}", remedy="see the lines above"
            )
        return stage_result(from_json(out.read_text(encoding="utf-8")))
    finally:
        for file in (path, out, failed):
            file.unlink(missing_ok=True)


def write_job(path: Path, config: TrainConfig, *, snapshots_root: Path, runs_root: Path, **more: str) -> None:
    """Write down a stage that torchrun can run in any number of processes, on any number of machines.

    Args:
        path: the job's file; every machine must see it, and both roots, at the same place.
        config: what to train.
        snapshots_root, runs_root: as for `train_stage`.
        more: `result` and `failed`, files for what another program wants to know.
    """
    job = {"config": config.model_dump(mode="json"), "snapshots_root": str(snapshots_root), "runs_root": str(runs_root)}
    write_atomic(path, json.dumps(job | more, indent=1).encode())


def _shown(line: str, progress: Progress | None) -> bool:
    """Whether a line was progress; it is passed on."""
    if not line.startswith('{"progress"'):
        return False
    if progress:
        progress(*json.loads(line)["progress"])
    return True


@contextmanager
def _passing_on(child: subprocess.Popen[str]) -> Iterator[None]:
    """Pass SIGTERM on to a child until the block ends; outside the main thread nobody sends us one."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda _number, _frame: child.terminate())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
