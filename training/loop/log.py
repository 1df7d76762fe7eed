"""What a run says while it runs: one JSON line a step in `metrics.jsonl`, and the trackers that were asked for.

Other trackers (TensorBoard, wandb, mlflow, trackio) are accelerate's; each needs its own package.

JSON has no infinity, and none of what is no number: such a value is null in the file and infinite when it is read again
(the error of a probe on one video, say: nobody knows how large it is).
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from shards.errors import BadInput, Unavailable

METRICS = "metrics.jsonl"

_STARTS_WITH = {
    "wandb": "log in with `wandb login`, or set WANDB_MODE=offline",
    "mlflow": "start its server, or set MLFLOW_TRACKING_URI to one that runs",
}


class RunLog:
    """The log of a run; lines of steps that will be taken again are dropped when it opens."""

    def __init__(self, folder: Path, *, first_step: int, trackers: Sequence[Any] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path, self._trackers = folder / METRICS, trackers
        if self._path.is_file():
            kept = [line for line in read_metrics(self._path) if line["step"] <= first_step]
            self._path.write_text("".join(to_json(line) + "\n" for line in kept), encoding="utf-8")

    def write(self, step: int, values: Mapping[str, Any]) -> None:
        """A line of a step; numbers also go to the trackers."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(to_json({"step": step} | dict(values)) + "\n")
        numbers = _flat(values)
        for tracker in self._trackers:
            tracker.log(numbers, step=step)

    def video(self, step: int, name: str, path: Path) -> None:
        """A sample video, to trackers that can show one."""
        for tracker in self._trackers:
            if tracker.name == "wandb":
                import wandb

                tracker.log({name: wandb.Video(str(path), format="mp4")}, step=step)


@contextmanager
def open_trackers(names: Sequence[str], folder: Path, config: Mapping[str, Any]) -> Iterator[list[Any]]:
    """Trackers that write beside a run; they finish when the block ends, however it ends.

    Raises:
        BadInput: accelerate knows none of a name.
        Unavailable: a tracker's package is not installed, or it does not start: no login, no server.
    """
    with ExitStack() as opened:
        trackers = []
        for name in names:
            trackers.append(_open_tracker(name, folder, config))
            opened.callback(trackers[-1].finish)
        yield trackers


def _open_tracker(name: str, folder: Path, config: Mapping[str, Any]) -> Any:
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
    except Exception as error:  # each tracker has errors of its own
        said = (str(error).splitlines() or [type(error).__name__])[0]
        remedy = _STARTS_WITH.get(name, "see what it says")
        raise Unavailable(
            f"the tracker {name} does not start: {said}", remedy=f"{remedy}; or leave it out of `trackers`"
        ) from error
    return tracker


def to_json(values: Any, *, indent: int | None = None) -> str:
    """Valid JSON, in one line unless indented; null for numbers that are not finite."""
    return json.dumps(_with_null(values), allow_nan=False, indent=indent)


def from_json(text: str | bytes) -> Any:
    """What `to_json` wrote; null in a table is infinity.

    Raises:
        ValueError: the text is no JSON.
    """
    return json.loads(text, object_hook=_with_infinity)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a log; a last one that was cut off by a kill is left out."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(from_json(line))
        except json.JSONDecodeError:
            break
    return lines


def _with_null(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _with_null(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_with_null(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _with_infinity(table: dict[str, Any]) -> dict[str, Any]:
    return {name: math.inf if value is None else value for name, value in table.items()}


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
