"""`clapboard sync`: train the sync classifier, and measure one."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import HomeOption, JsonOption, home_of

if TYPE_CHECKING:
    from training.sync.data import SyncVideo
    from training.sync.train import SyncTraining

app = typer.Typer(
    help="The learned sync classifier: train one, measure one.", no_args_is_help=True, rich_markup_mode=None
)

SettingOption = Annotated[
    list[str], typer.Option("--set", metavar="A=C", help="One setting, such as films=16; may be given many times.")
]
SnapshotOption = Annotated[
    str | None, typer.Option("--snapshot", help="Learn from the clips of NAME/vN as well as from drawn videos.")
]


@app.command()
def train(
    out: Annotated[Path, typer.Option("--out", "-o", help="The safetensors file to write.")],
    settings: SettingOption = [],  # noqa: B006 (typer copies it)
    snapshot: SnapshotOption = None,
    device: Annotated[str, typer.Option("--device", help="cpu, cuda, or auto for a GPU where there is one.")] = "cpu",
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Train a sync classifier from in-video negatives and write it, with its evaluation, to a safetensors file.

    Use it with CLAPBOARD_SYNC_NET=FILE. A tiny one takes a minute: --set films=16 --set imagined=400 --set steps=200.
    """
    from flows.cli.show import print_json, progress
    from training.sync.data import some
    from training.sync.train import train_to_file

    chosen, device = _settings(settings), _device(device)
    videos = some(_to_learn_from(chosen, home_of(home).snapshots, snapshot))
    held_out = _held_out(chosen)
    command = " ".join(["clapboard sync train", *(f"--set {one}" for one in settings)])
    with progress("training") as advance:
        facts = train_to_file(
            videos,
            held_out,
            chosen,
            out,
            command=command + (f" --snapshot {snapshot}" if snapshot else ""),
            device=device,
            progress=lambda done, all_, loss: advance(done, all_, f"loss {loss:.3f}"),
        )
    if json:
        print_json(facts)
    else:
        _show(facts["evaluation"])
        typer.echo(f"{facts['parameters']} parameters, {facts['training_s']} s: {out}")


@app.command()
def evaluate(
    weights: Annotated[Path | None, typer.Argument(help="The classifier; by default the one that ships.")] = None,
    settings: SettingOption = [],  # noqa: B006 (typer copies it)
    json: JsonOption = False,
) -> None:
    """Measure a sync classifier on drawn and imagined videos it has not seen."""
    from curation.scores.sync_net import SHIPPED
    from flows.cli.show import print_json
    from shards.synchrony.net import load_net
    from training.sync.evaluate import evaluate as measure

    net, facts = load_net(weights or SHIPPED)
    found = {name: measure(net, videos) for name, videos in _held_out(_settings(settings)).items()}
    if json:
        print_json({"facts": facts, "evaluation": found})
    else:
        _show(found)


def _to_learn_from(settings: "SyncTraining", snapshots: Path, snapshot: str | None) -> list["SyncVideo"]:
    from training.sync.data import drawn_videos, snapshot_videos
    from training.sync.imagined import imagined_videos

    length, seed = settings.duration_s, settings.seed
    videos = drawn_videos(settings.films, seed=seed, duration_s=length, workers=os.cpu_count() or 1)
    videos += imagined_videos(settings.imagined, seed=seed, duration_s=length)
    if snapshot:
        videos += snapshot_videos(snapshots, snapshot, duration_s=length)
    return videos


def _held_out(settings: "SyncTraining") -> dict[str, Sequence["SyncVideo"]]:
    from training.sync.data import drawn_videos
    from training.sync.imagined import imagined_videos

    length, other = settings.duration_s, settings.seed + 1_000_003
    return {
        "drawn": drawn_videos(settings.held_out, seed=other, duration_s=length, workers=os.cpu_count() or 1),
        "imagined": imagined_videos(settings.held_out, seed=other, duration_s=length),
    }


def _device(wanted: str) -> str:
    """The device by its name; what is wrong with it is said in the words of this command."""
    from shards.errors import BadInput, Unavailable
    from training.parallel import chosen_device

    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", wanted):
        raise BadInput(f"there is no device {wanted!r}", remedy="--device cpu, cuda, cuda:1 or auto")
    try:
        return chosen_device(wanted)
    except Unavailable as lack:
        raise Unavailable(
            f"{lack.message}: torch finds no GPU with a driver",
            remedy="--device cpu, or auto for a GPU where there is one; `clapboard doctor` tells",
        ) from lack


def _settings(given: Sequence[str]) -> "SyncTraining":
    from pydantic import ValidationError

    from shards.errors import BadInput
    from training.sync.train import SyncTraining

    remedy = f"--set NAME=VALUE with one of: {', '.join(SyncTraining.model_fields)}"
    if empty := [one for one in given if "=" not in one]:
        raise BadInput(f"{empty[0]!r} sets nothing", remedy=remedy)
    try:
        return SyncTraining.model_validate(dict(one.split("=", 1) for one in given))
    except ValidationError as error:
        first = error.errors()[0]
        where = " ".join(["setting", *(str(part) for part in first["loc"])])
        raise BadInput(f"{where}: {first['msg']}", remedy=remedy) from error


def _show(evaluation: dict[str, dict[str, float]]) -> None:
    from flows.cli.show import table

    columns = list(next(iter(evaluation.values())))
    table(
        "on videos it has not seen",
        ["videos", *columns],
        [[name, *(one[column] for column in columns)] for name, one in evaluation.items()],
    )
