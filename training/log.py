"""What a run says while it runs: one JSON line a step in `metrics.jsonl`, and the trackers that were asked for.

Other trackers (TensorBoard, wandb, mlflow, trackio) are accelerate's; each needs its own package.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shards.errors import BadInput, Unavailable

METRICS = "metrics.jsonl"


class RunLog:
    """The log of a run; lines of steps that will be taken again are dropped when it opens."""

    def __init__(self, folder: Path, *, first_step: int, trackers: tuple[str, ...], config: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / METRICS
        if self._path.is_file():
            kept = [line for line in read_metrics(self._path) if line["step"] <= first_step]
            self._path.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
        self._trackers = [open_tracker(name, folder, config) for name in trackers]

    def write(self, step: int, values: Mapping[str, Any]) -> None:
        """A line of a step; numbers also go to the trackers."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step} | dict(values)) + "\n")
        numbers = _flat(values)
        for tracker in self._trackers:
            tracker.log(numbers, step=step)

    def video(self, step: int, name: str, path: Path) -> None:
        """A sample video, to trackers that can show one."""
        for tracker in self._trackers:
            if tracker.name == "wandb":
                import wandb

                tracker.log({name: wandb.Video(str(path), format="mp4")}, step=step)

    def close(self) -> None:
        """Let the trackers finish."""
        for tracker in self._trackers:
            tracker.finish()


def open_tracker(name: str, folder: Path, config: Mapping[str, Any]) -> Any:
    """One of accelerate's trackers, writing beside the run.

    Raises:
        BadInput: accelerate knows none of that name.
        Unavailable: its package is not installed.
    """
    from accelerate import PartialState
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS

    PartialState()
    kinds = {str(kind): made for kind, made in LOGGER_TYPE_TO_CLASS.items()}
    if name not in kinds:
        raise BadInput(f"there is no tracker {name!r}", remedy=f"choose from: {', '.join(sorted(kinds))}")
    kind = kinds[name]
    places = {"logging_dir": str(folder / "trackers")} if kind.requires_logging_directory else {}
    try:
        tracker = kind("clapboard", **places)
        if hasattr(tracker, "start"):
            tracker.start()
        tracker.store_init_configuration(_plain(config))
    except (ImportError, ModuleNotFoundError, NameError) as error:
        raise Unavailable(f"the tracker {name} is not installed", remedy=f"pip install {name}") from error
    return tracker


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a log; a last one that was cut off by a kill is left out."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return lines


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, float]:
    found: dict[str, float] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{before}{name}/")
        elif isinstance(value, int | float):
            found[f"{before}{name}"] = float(value)
    return found


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value if isinstance(value, bool | int | float | str) else json.dumps(value)
        for name, value in config.items()
        if value is not None
    }
