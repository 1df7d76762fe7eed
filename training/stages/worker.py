"""What torchrun starts: one of the processes of a stage, `python -m training.stages.worker JOB`."""

import json
import os
import sys
from pathlib import Path

from shards.errors import ClapboardError
from shards.files import write_atomic
from shards.leash import end_with_parent
from training.loop.log import to_json
from training.parallel import leave
from training.settings.config import TrainConfig
from training.stages.result import result_json
from training.stages.stage import train_stage


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
        result = train_stage(
            TrainConfig.model_validate(job["config"]),
            snapshots_root=Path(job["snapshots_root"]),
            runs_root=Path(job["runs_root"]),
            progress=progress if leads else None,
        )
        if leads and "result" in job:
            write_atomic(Path(job["result"]), to_json(result_json(result)).encode())
        elif leads:
            sys.stdout.write(f"run: {result.run_dir}\n")
    except ClapboardError as error:
        said = {"kind": type(error).__name__, "message": error.message, "remedy": error.remedy}
        if "failed" in job:
            write_atomic(Path(job["failed"]), json.dumps(said).encode())
        else:
            sys.stderr.write(f"{error.message}\n  mend: {error.remedy}\n")
        sys.exit(1)
    finally:
        leave()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
