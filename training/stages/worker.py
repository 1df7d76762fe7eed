"""What torchrun starts: one of the processes of a stage, `python -m training.stages.worker JOB`."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from shards.errors import ClapboardError
from shards.files import write_atomic
from shards.leash import end_with_parent
from training.loop.log import to_json
from training.parallel import leave
from training.progress import Progress
from training.settings.config import TrainConfig
from training.stages.launch import Act
from training.stages.result import result_json
from training.stages.stage import build_stage_cache, train_stage


def main(path: Path) -> None:
    """One of the processes."""
    end_with_parent()
    job = json.loads(path.read_text(encoding="utf-8"))
    leads = os.environ["RANK"] == "0"

    def progress(done: int, total: int, note: str) -> None:
        line = json.dumps({"progress": [done, total, note]}) if "result" in job else f"{note} ({done} of {total})"
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    try:
        facts = _done(job, progress if leads else None)
        if leads and "result" in job:
            write_atomic(Path(job["result"]), to_json(facts).encode())
        elif leads:
            sys.stdout.write("".join(f"{name}: {facts[name]}\n" for name in ("run_dir", "encoded") if name in facts))
    except ClapboardError as error:
        said = {"kind": type(error).__name__, "message": error.message, "remedy": error.remedy}
        if "failed" in job:
            write_atomic(Path(job["failed"]), json.dumps(said).encode())
        else:
            sys.stderr.write(f"{error.message}\n  mend: {error.remedy}\n")
        sys.exit(1)
    finally:
        leave()


def _done(job: dict[str, Any], progress: Progress | None) -> dict[str, Any]:
    """Do what the job says; returns what is to be told of it."""
    config = TrainConfig.model_validate(job["config"])
    roots = {"snapshots_root": Path(job["snapshots_root"]), "runs_root": Path(job["runs_root"])}
    if job["act"] == Act.CACHE:
        return {"encoded": build_stage_cache(config, **roots, progress=progress).encoded}
    return result_json(train_stage(config, **roots, progress=progress))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
