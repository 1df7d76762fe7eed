"""`clapboard cache`, `train`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.options import HomeOption, JsonOption, SetOption, home_of
from shards.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from curation.home.folder import Home
    from flows.summary import TrainSummary
    from training.settings.config import TrainConfig

StageOption = Annotated[int, typer.Option("--stage", min=1, max=2, help="1: automatic data; 2: human-curated data.")]
BackboneOption = Annotated[
    str | None,
    typer.Option(
        "--backbone",
        help="drawn (by default), wan2.2-ti2v-5b, wan2.1-i2v-14b; wan2.1-1.3b and animatediff cannot follow an image.",
    ),
]
SnapshotOption = Annotated[
    str | None, typer.Option("--snapshot", help='"NAME/vN" or "NAME"; by default auto for stage 1, curated for 2.')
]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="A YAML file of training settings.")]


def cache(
    stage: StageOption = 1,
    backbone: BackboneOption = None,
    snapshot: SnapshotOption = None,
    config: ConfigOption = None,
    settings: SetOption = [],  # noqa: B006 (typer copies it)
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Encode a snapshot once for training: latents and sound features; what is there is kept."""
    from flows.cli.show import print_json, progress
    from training.stages.stage import build_stage_cache

    chosen = _config(stage, backbone, snapshot, config, settings)
    place = home_of(home)
    with progress("encoding") as advance:
        report = build_stage_cache(chosen, snapshots_root=place.snapshots, runs_root=place.training, progress=advance)
    facts = {"snapshot": chosen.snapshot, "encoded": report.encoded, "reused": report.reused}
    if json:
        print_json(facts)
    else:
        typer.echo(f"{chosen.snapshot}: {report.encoded} clips encoded, {report.reused} were there")


def train(
    stage: Annotated[
        int | None, typer.Option("--stage", min=1, max=2, help="1 or 2; without it both, one after the other.")
    ] = None,
    backbone: BackboneOption = None,
    snapshot: SnapshotOption = None,
    config: ConfigOption = None,
    settings: SetOption = [],  # noqa: B006 (typer copies it)
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be trained.")] = False,
    job: Annotated[
        Path | None,
        typer.Option("--job", help="Only write the stage down as a job that torchrun can run on several machines."),
    ] = None,
    ask_above_hours: Annotated[
        float | None,
        typer.Option(
            "--ask-above-hours",
            min=0,
            envvar="CLAPBOARD_ASK_ABOVE_HOURS",
            help="Ask before what would take so long, as --dry-run estimates it; 0: always.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="The answer to that.")] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Train the audio adapter on a frozen backbone: stage one, stage two that goes on from it, or both.

    A run is named by its settings and data: a finished one is found, a stopped one goes on from its last checkpoint.
    SIGTERM saves a checkpoint and ends. In a file of settings, keys hold for both stages, and those below `one:` or
    `two:` for that stage alone.
    """
    from flows.cli.show import print_json
    from training.backbones import NOTICES

    if stage is None and snapshot is not None:
        raise BadInput(
            "each stage has a snapshot of its own", remedy="--set one.snapshot=NAME --set two.snapshot=NAME, or --stage"
        )
    configs = [_config(one, backbone, snapshot, config, settings) for one in ((stage,) if stage else (1, 2))]
    if dry_run:
        for chosen in configs:
            _show_dry_run(chosen, home_of(home), json=json)
        return
    if job is not None:
        _write_job(job, configs, home_of(home))
        return
    if ask_above_hours is not None and not yes:
        _ask(ask_above_hours, configs, home_of(home))
    warn(NOTICES.get(configs[0].backbone, ""))
    for summary in _trained(configs, home_of(home)):
        print_json(summary.model_dump(mode="json")) if json else _show(summary)


def _ask(above_hours: float, configs: "Sequence[TrainConfig]", home: "Home") -> None:
    """Have whoever sits there say yes to what would take long.

    Raises:
        BadInput: somebody said no, or nobody sits there.
    """
    import sys

    from flows.approval import ApprovalSettings, estimate, needed

    stages = [estimate(one, home) for one in configs]
    if not needed(ApprovalSettings(above_hours=above_hours), stages):
        return
    for one in stages:
        typer.echo(one.told, err=True)
    if not sys.stdin.isatty():
        raise BadInput("this would take as long as --ask-above-hours says, and nobody is there to ask", remedy="--yes")
    if not typer.confirm("Train?", err=True):
        raise BadInput("not approved; nothing was trained", remedy="--yes, or fewer steps: --set steps=N")


def _trained(configs: "Sequence[TrainConfig]", home: "Home") -> "Sequence[TrainSummary]":
    from flows.run import run_train, run_train_both

    tables = [one.model_dump(mode="json", exclude={"stage", "backbone"}, exclude_none=True) for one in configs]
    if len(configs) == 1:
        return [run_train(home=home, stage=configs[0].stage, backbone=configs[0].backbone, settings=tables[0])]
    return run_train_both(home=home, backbone=configs[0].backbone, settings={"one": tables[0], "two": tables[1]})


def _write_job(path: Path, configs: "Sequence[TrainConfig]", home: "Home") -> None:
    from training.stages.launch import write_job

    if len(configs) > 1:
        raise BadInput("a job is one stage", remedy="name it: --stage 1, and when that is done --stage 2")
    write_job(path.absolute(), configs[0], snapshots_root=home.snapshots, runs_root=home.training)
    typer.echo("# on every machine, all of which see the same folders:")
    typer.echo("torchrun --nnodes=MACHINES --nproc-per-node=GPUS --rdzv-backend=c10d --rdzv-endpoint=FIRST:29500 \\")
    typer.echo(f"  -m training.stages.worker {path.absolute()}")


def _show(summary: "TrainSummary") -> None:
    word = "" if summary.fresh else " (was done before)"
    word = word if summary.finished else ", stopped; the same command goes on"
    share = f"{summary.trainable_parameters} parameters, {summary.trainable_share:.2%} of the whole"
    typer.echo(f"stage {summary.stage} on {summary.snapshot}: {summary.steps} steps{word}; {share}")
    typer.echo(f"loss {summary.first_loss:.4f} -> {summary.last_loss:.4f}")
    for name, value in summary.probe.items():
        typer.echo(f"  probe {name}: {value:.4f}")
    typer.echo(f"run: {summary.run_dir}")


def _config(
    stage: int, backbone: str | None, snapshot: str | None, config: Path | None, settings: list[str]
) -> "TrainConfig":
    import json

    from training.settings.config import load_config

    said = {"backbone": backbone, "snapshot": snapshot}
    # As JSON, so that YAML takes a name such as 2024 for a name.
    named = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in said.items() if value is not None]
    return load_config(config, stage=stage, overrides=(*named, *settings))


def _show_dry_run(config: "TrainConfig", home: "Home", *, json: bool) -> None:
    import yaml

    from flows.cli.show import print_json
    from training.stages.dry_run import dry_run

    facts = dry_run(config, snapshots_root=home.snapshots, runs_root=home.training)
    if json:
        print_json(facts)
    else:
        typer.echo(yaml.safe_dump(facts, sort_keys=False, allow_unicode=True, width=120))
        for warning in facts["warnings"]:
            warn(warning)


def warn(sentence: str) -> None:
    """A note on standard error, if there is one."""
    if sentence:
        typer.secho(f"note: {sentence}", fg=typer.colors.YELLOW, err=True)
