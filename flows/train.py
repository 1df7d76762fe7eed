"""The training flow: one stage on one snapshot; a finished run is found, a stopped one goes on."""

import time
from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from pydantic import BaseModel, ConfigDict, Field

from curation.home import Home, default_home
from flows.artifacts import leave_curve, leave_probe
from flows.progress import Step
from flows.summary import TrainSummary
from training.config import Stage, TrainConfig, stage_config
from training.log import METRICS, read_metrics
from training.stages import StageResult, train_stage


class TrainParams(BaseModel):
    """The parameters of a training run; Prefect draws its form from them."""

    model_config = ConfigDict(extra="forbid")

    stage: Stage = Field(description="1: on the automatic snapshot; 2: on the human-curated one")
    home: Path = Field(default_factory=default_home, description="folder of the ledger, snapshots and runs")
    snapshot: str | None = Field(None, description='"NAME/vN", or "NAME" for its newest; the stage\'s own by default')
    backbone: str = Field("tiny", description="which frozen video generator")
    settings: dict[str, object] = Field(default_factory=dict, description="further settings of training.config")

    def config(self) -> TrainConfig:
        """The stage's defaults with these parameters on top."""
        named = {} if self.snapshot is None else {"snapshot": self.snapshot}
        return stage_config(self.stage, backbone=self.backbone, **(self.settings | named))


@flow(name="train", flow_run_name="train-stage-{params.stage:d}")
def train(params: TrainParams) -> TrainSummary:
    """Cache, pretrain or load the backbone, train the adapter, probe what it learnt."""
    start = time.perf_counter()
    result = run_stage(params.config(), Home(params.home.absolute()))
    losses = read_losses(result.run_dir)
    leave_curve(f"loss-stage-{int(params.stage)}", f"Loss of {result.run_dir.name} on {result.snapshot}", losses)
    leave_probe(f"sync-probe-stage-{int(params.stage)}", result.probe)
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


def read_losses(run_dir: Path) -> list[tuple[int, float]]:
    """The (step, loss) pairs of a run's metrics."""
    return [(line["step"], line["loss"]) for line in read_metrics(run_dir / METRICS) if "loss" in line]
