"""A yes before hours of a GPU are spent: a run that would take more than somebody set waits for it, without a process.

What a run would take is what `clapboard train --dry-run` says. A run of a deployment is suspended and asks in Prefect's
UI; the form is typed, so the server refuses what is no answer. A command asks on its terminal.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from prefect.context import FlowRunContext
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from pydantic import BaseModel, ConfigDict, Field, model_validator

from curation.home.folder import Home
from flows.stopping import leave
from training.settings.config import TrainConfig

WAIT_S = 7 * 24 * 3600
"""How long somebody has to answer; the run fails after that [ours]."""

KEY = "approval"


class ApprovalSettings(BaseModel):
    """From where on a run of training waits for a yes; without a limit none does."""

    model_config = ConfigDict(extra="forbid")

    above_hours: float | None = Field(
        None, ge=0, description="a run that would take so long waits for a yes; 0: every run"
    )
    above_cost: float | None = Field(None, ge=0, description="a run that would cost so much waits for a yes")
    hourly_cost: float | None = Field(None, gt=0, description="what a device costs in an hour, in any currency")

    @model_validator(mode="after")
    def _priced(self) -> "ApprovalSettings":
        if self.above_cost is not None and self.hourly_cost is None:
            raise ValueError("above_cost needs hourly_cost: what a device costs in an hour")
        return self


class TrainApproval(RunInput):
    """What a run that waits is answered."""

    approve: bool = Field(description="train; otherwise the run ends as cancelled, and nothing was spent")
    note: str = Field("", max_length=500, description="why, for whoever reads of it later")


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a stage would take: hours on so many devices of a kind, as the dry run says."""

    stage: int
    snapshot: str
    backbone: str
    steps: int
    hours: float
    devices: int
    device: str

    @property
    def told(self) -> str:
        """In a line."""
        what = f"stage {self.stage} of {self.backbone} on {self.snapshot}"
        return f"{what}: {self.steps} steps, about {self.hours:.2f} h on {self.where}"

    @property
    def where(self) -> str:
        """On which devices."""
        return f"{self.devices} x {self.device}"

    @property
    def row(self) -> str:
        """Of a table in Markdown."""
        cells = (self.stage, self.snapshot, self.backbone, self.steps, f"{self.hours:.2f}", self.where)
        return f"| {' | '.join(map(str, cells))} |"


def estimate(config: TrainConfig, home: Home) -> Estimate:
    """What a stage would take on this machine's device, or on the slowest that is known where this one is not.

    Raises:
        BadInput, TrainingError: as `training.stages.dry_run.dry_run`.
    """
    from training.loop.profile import known_device
    from training.stages.dry_run import dry_run

    facts = dry_run(config, snapshots_root=home.snapshots, runs_root=home.training)
    days = {name: value for name, value in facts["days_estimate"].items() if name != "assumed_mfu"}
    here = known_device("cuda" if config.device == "auto" else config.device)
    device = here or max(days, key=lambda name: days[name])
    return Estimate(
        stage=int(config.stage),
        snapshot=config.snapshot,
        backbone=config.backbone,
        steps=config.steps,
        hours=days[device] * 24,
        devices=config.processes,
        device=device,
    )


def needed(settings: ApprovalSettings, stages: Sequence[Estimate]) -> bool:
    """Whether somebody has to say yes to these stages together."""
    hours, cost = sum(one.hours for one in stages), cost_of(settings, stages)
    too_long = settings.above_hours is not None and hours >= settings.above_hours
    return too_long or (settings.above_cost is not None and cost is not None and cost >= settings.above_cost)


def cost_of(settings: ApprovalSettings, stages: Sequence[Estimate]) -> float | None:
    """What they would cost; None where no price is known."""
    if settings.hourly_cost is None:
        return None
    return settings.hourly_cost * sum(one.hours * one.devices for one in stages)


def ask_first(settings: ApprovalSettings, configs: Sequence[TrainConfig], home: Home) -> None:
    """Suspend a deployment's run until somebody said yes, where its limits ask for that; a no ends it as cancelled.

    A run within another, or of a command, has been asked about before.
    """
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if settings == ApprovalSettings() or run is None or run.deployment_id is None or run.parent_task_run_id:
        return
    stages = [estimate(config, home) for config in configs]
    if not needed(settings, stages):
        return
    form = TrainApproval.with_initial_data(description=in_markdown(settings, stages))
    answer = suspend_flow_run(wait_for_input=form, timeout=WAIT_S, key=KEY)
    if not answer.approve:
        leave(f"somebody did not approve of this run{f': {answer.note}' if answer.note else ''}; nothing was trained")


def in_markdown(settings: ApprovalSettings, stages: Sequence[Estimate]) -> str:
    """What somebody is asked, for Prefect's UI."""
    cost = cost_of(settings, stages)
    limits = [f"{settings.above_hours:g} h"] if settings.above_hours is not None else []
    limits += [f"a cost of {settings.above_cost:g}"] if settings.above_cost is not None else []
    head = ["| stage | snapshot | generator | steps | hours | devices |", "|---|---|---|---|---|---|"]
    total = f"**{sum(one.hours for one in stages):.2f} h**" + ("" if cost is None else f", a cost of **{cost:.2f}**")
    asked = f"This would take {total}; from {' or '.join(limits)} on somebody has to say yes."
    return "\n".join([asked, "", *head, *(one.row for one in stages)])
