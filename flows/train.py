"""The training flows: one stage, or both as one run; what is finished is found, what stopped goes on."""

import time
from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from pydantic import BaseModel, ConfigDict, Field

from curation.home.folder import Home, default_home
from flows.approval import ApprovalSettings, ask_first
from flows.artifacts import leave_curves, leave_probe
from flows.lineage import tell_made
from flows.names import dated
from flows.progress import Step
from flows.report.data import Curve, GapCurve
from flows.stopping import stoppable
from flows.summary import TrainSummary
from shards.snapshot import open_snapshot
from training.loop.log import METRICS, read_metrics
from training.settings.config import DEFAULT_BACKBONE, Stage, TrainConfig, settings_of, stage_config
from training.stages.result import StageResult
from training.stages.stage import train_stage


class TrainParams(BaseModel):
    """The parameters of a training run; Prefect draws its form from them."""

    model_config = ConfigDict(extra="forbid")

    stage: Stage = Field(description="1: on the automatic snapshot; 2: on the human-curated one")
    home: Path = Field(
        default_factory=default_home,
        description="folder of the ledger, snapshots and runs; empty: the worker's CLAPBOARD_HOME",
    )
    snapshot: str | None = Field(None, description='"NAME/vN", or "NAME" for its newest; the stage\'s own by default')
    backbone: str = Field(DEFAULT_BACKBONE, description="which frozen video generator")
    settings: dict[str, object] = Field(
        default_factory=dict,
        description="further settings of a training run; those under `one` or `two` for theirs",
    )
    approval: ApprovalSettings = Field(default_factory=ApprovalSettings, description="when somebody is asked first")

    @property
    def run_name(self) -> str:
        """What a run of these is called."""
        return dated(
            "train", f"stage {int(self.stage)} of {self.backbone}", f"on {self.snapshot}" * bool(self.snapshot)
        )

    def config(self) -> TrainConfig:
        """The stage's defaults with these parameters on top."""
        named = {} if self.snapshot is None else {"snapshot": self.snapshot}
        return stage_config(self.stage, backbone=self.backbone, **(settings_of(self.stage, self.settings) | named))


class BothParams(BaseModel):
    """The parameters of both stages as one run; Prefect draws its form from them."""

    model_config = ConfigDict(extra="forbid")

    home: Path = Field(
        default_factory=default_home,
        description="folder of the ledger, snapshots and runs; empty: the worker's CLAPBOARD_HOME",
    )
    backbone: str = Field(DEFAULT_BACKBONE, description="which frozen video generator")
    settings: dict[str, object] = Field(
        default_factory=dict,
        description="settings of a training run for both stages; those in the tables `one` and `two` for that stage",
    )
    approval: ApprovalSettings = Field(default_factory=ApprovalSettings, description="when somebody is asked first")

    @property
    def run_name(self) -> str:
        """What a run of these is called."""
        return dated("train", f"both stages of {self.backbone}")

    def of(self, stage: Stage, **more: object) -> TrainParams:
        """The parameters of one of them."""
        settings = settings_of(stage, self.settings) | more
        return TrainParams(stage=stage, home=self.home, backbone=self.backbone, settings=settings)


@flow(name="train-both", flow_run_name="{params.run_name}")
@stoppable(within_s=None)
def train_both(params: BothParams) -> list[TrainSummary]:
    """Stage one on the automatic snapshot, then stage two from its average on the curated one [paper].

    What stage two needs is looked at before stage one spends its hours.
    """
    home = Home(params.home.absolute())
    for stage in Stage:
        open_snapshot(home.snapshots, params.of(stage).config().snapshot)
    ask_first(params.approval, [params.of(stage).config() for stage in Stage], home)
    one = train(params.of(Stage.ONE))
    if not one.finished:
        return [one]
    return [one, train(params.of(Stage.TWO, init_from=one.run_dir))]


@flow(name="train", flow_run_name="{params.run_name}")
@stoppable(within_s=None)
def train(params: TrainParams) -> TrainSummary:
    """Cache, pretrain or load the backbone, train the adapter, probe what it learnt."""
    start, home = time.perf_counter(), Home(params.home.absolute())
    ask_first(params.approval, [params.config()], home)
    result = run_stage(params.config(), home)
    stage, about = int(params.stage), f"{result.run_dir.name} on {result.snapshot}"
    losses, gaps = read_curve(result.run_dir, f"stage {stage} on {result.snapshot}"), read_gaps(result)
    leave_curves(f"curves-stage-{stage}", f"Loss and sync probe of {about}", losses, gaps)
    leave_probe(f"sync-probe-stage-{stage}", result.probe)
    if result.fresh:
        facts = {"stage": stage, "steps": result.steps_done, "finished": result.finished, **result.probe}
        tell_made(result.run_dir, of=[home.snapshots / result.snapshot], facts=facts)
    return TrainSummary(
        stage=int(params.stage),
        snapshot=result.snapshot,
        run_dir=str(result.run_dir),
        steps=result.steps_done,
        finished=result.finished,
        fresh=result.fresh,
        first_loss=result.first_loss,
        last_loss=result.last_loss,
        trainable_parameters=result.trainable_parameters,
        trainable_share=result.trainable_share,
        probe=result.probe,
        seconds=round(time.perf_counter() - start, 2),
    )


@task(cache_policy=NO_CACHE)
def run_stage(config: TrainConfig, home: Home) -> StageResult:
    """One stage as a task: a retry goes on from the last checkpoint, since the run's folder follows from the config."""
    steps: dict[str, Step] = {}

    def progress(done: int, total: int, note: str) -> None:
        name = note.partition(":")[0]
        step = steps.setdefault(name, Step(f"{name} {int(config.stage)}" if name == "train" else name, total))
        step.show(done, total, note.partition(": ")[2])

    return train_stage(config, snapshots_root=home.snapshots, runs_root=home.training, progress=progress)


def read_curve(run_dir: Path, name: str) -> Curve:
    """The loss of every step of a run."""
    lines = [line for line in read_metrics(run_dir / METRICS) if "loss" in line]
    return Curve(name, tuple(line["step"] for line in lines), tuple(line["loss"] for line in lines))


def read_gaps(result: StageResult) -> GapCurve:
    """The sync probes of a run, the one at its end among them."""
    probes = {line["step"]: line["probe"] for line in read_metrics(result.run_dir / METRICS) if "probe" in line}
    if result.probe:
        probes[result.steps_done] = result.probe
    said = [(step, probe["shift_gap"], probe["shift_gap_error"]) for step, probe in sorted(probes.items())]
    steps, gaps, errors = zip(*said, strict=True) if said else ((), (), ())
    return GapCurve(steps, gaps, errors)
