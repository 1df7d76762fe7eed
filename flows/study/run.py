"""The flow of a study: data, then every arm with every seed, each a run of its own that leaves its result as a file.

A killed study goes on: an arm that has a file is not run again, and training inside an arm goes on by itself.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_image_artifact, create_markdown_artifact, create_table_artifact
from pydantic import BaseModel, ConfigDict, Field

from curation.home.folder import default_home
from flows.names import dated
from flows.progress import Step
from flows.report.picture import as_link
from flows.server import this_command
from flows.stopping import stoppable
from flows.study.arms import Arm, Data, Group, arms
from flows.study.data import StudyData, home_of, make_data, snapshot_of, study_recipe
from flows.study.report import PROBES, RUNS
from flows.study.results import ArmResult, Probed, read_result, write_probe
from flows.study.settings import SIZES, Size, StudySettings
from flows.study.table import table
from shards.errors import BadInput, ClapboardError
from shards.files import write_atomic
from training.settings.config import Stage, TrainConfig, stage_config
from training.stages.result import StageResult
from training.stages.stage import train_stage

SETTINGS, RESULTS = "study.json", "results"
FILMED_WINDOWS = 48


class StudyParams(BaseModel):
    """The parameters of a study; Prefect draws its form from them."""

    model_config = ConfigDict(extra="forbid")

    out: Path = Field(
        default_factory=lambda: default_home() / "study", description="the folder of films, homes, runs and results"
    )
    size: Size = Field(Size.TINY, description="tiny: minutes; small: a night on two cores")
    probe_on: list[str] = Field(
        default_factory=list, description="filmed videos with their sound, on which trained arms are probed as well"
    )

    @property
    def run_name(self) -> str:
        """What a run of these is called."""
        return dated("study", self.size.value)

    @property
    def settings(self) -> StudySettings:
        """What the size stands for."""
        return SIZES[self.size]


@flow(name="study", flow_run_name="{params.run_name}")
@stoppable(within_s=None)
def study(params: StudyParams) -> list[ArmResult]:
    """Does a crawl, curated automatically, and then a little curated data do what much curated data does?"""
    root = params.out.absolute()
    found = run_study(root, params.settings)
    if params.probe_on:
        probe_arms(root, found, params.probe_on)
    return found


def run_study(root: Path, settings: StudySettings) -> list[ArmResult]:
    """All of it, within a flow; what is there is not done again.

    Raises:
        BadInput: the folder holds a study of other settings.
    """
    _claim(root, settings)
    data = make_data(root, settings)
    found: list[ArmResult] = []
    # What answers the study's question comes first, with all seeds.
    asked = [(seed, arm) for seed in settings.seeds for arm in arms(settings)]
    asked.sort(key=lambda one: one[1].group == Group.ABLATION)
    step = Step("arms", len(asked))
    for seed, arm in asked:
        if not result_file(root, arm, seed).is_file():
            run_arm.with_options(flow_run_name=f"{arm.name}, seed {seed}")(root, settings, arm, seed)
        found.append(read_result(result_file(root, arm, seed)))
        step.tick(f"{arm.name}, seed {seed}: F1 {found[-1].f1:.3f}")
    _leave_table(found, data, settings)
    return found


def results_so_far(root: Path, settings: StudySettings) -> list[ArmResult]:
    """Of the arms that are done, in the order of the table."""
    paths = [result_file(root, arm, seed) for arm in arms(settings) for seed in settings.seeds]
    return [read_result(path) for path in paths if path.is_file()]


@flow(name="study-arm", validate_parameters=False)
def run_arm(root: Path, settings: StudySettings, arm: Arm, seed: int) -> None:
    """Train an arm as users train, animate unseen films, and count."""
    from flows.study.outcome import measured

    result = _trained(root, settings, arm, seed)
    outcome, picture = measured(result, arm, settings, seed)
    write_atomic(result_file(root, arm, seed), json.dumps(asdict(outcome), indent=1).encode())
    said = "".join(f"| {name} | {value} |\n" for name, value in asdict(outcome).items() if not isinstance(value, list))
    create_markdown_artifact(f"| | |\n|---|---|\n{said}", key="study-arm", description=f"{arm.name}, seed {seed}")
    create_image_artifact(
        as_link(picture), key="study-films", description="Frames; a bar below where the given sound strikes."
    )


@flow(name="study-probe", validate_parameters=False)
def probe_arms(root: Path, results: list[ArmResult], sources: list[str]) -> None:
    """What a shifted sound costs each arm on filmed videos; ablations are not asked."""
    from flows.study.probing import filmed, probed

    asked = [one for one in results if one.group != Group.ABLATION]
    snapshot, step = filmed(root, sources, study_recipe()), Step("probing", len(asked))
    for one in asked:
        path = root / PROBES / f"{one.seed}-{file_name(one.arm)}.json"
        if not path.is_file():
            probe = probed(root / RUNS / one.run, snapshot, runs_root=root / RUNS, count=FILMED_WINDOWS)
            write_probe(path, Probed(one.arm, one.group, one.seed, probe))
        step.tick(f"{one.arm}, seed {one.seed}")


def result_file(root: Path, arm: Arm, seed: int) -> Path:
    """Where the result of an arm lies."""
    return root / RESULTS / f"{seed}-{file_name(arm.name)}.json"


def file_name(arm: str) -> str:
    """The name of an arm as files have it."""
    return "-".join("".join(letter if letter.isalnum() or letter == "." else " " for letter in arm).split())


def _claim(root: Path, settings: StudySettings) -> None:
    path, said = root / SETTINGS, settings.model_dump_json(indent=1)
    if path.is_file() and path.read_text(encoding="utf-8") != said:
        raise BadInput(f"{root} holds a study of other settings", remedy="name another folder: --out")
    write_atomic(path, said.encode())


def _trained(root: Path, settings: StudySettings, arm: Arm, seed: int) -> StageResult:
    result: StageResult | None = None
    for data, config in _stages(arm, settings, seed):
        step = Step(f"{arm.name}, seed {seed}, stage {int(config.stage)}")
        chosen = config if result is None else config.model_copy(update={"init_from": result.run_dir})
        result = train_stage(
            chosen, snapshots_root=home_of(root, data).snapshots, runs_root=root / RUNS, progress=step.show
        )
        if not result.finished:
            raise ClapboardError(
                f"stopped in stage {int(config.stage)} of {arm.name}, seed {seed}; all that is done is kept",
                remedy=f"the same command goes on: {this_command()}",
            )
    assert result is not None
    return result


def _stages(arm: Arm, settings: StudySettings, seed: int) -> Iterator[tuple[Data, TrainConfig]]:
    steps = {Stage.ONE: settings.one_steps, Stage.TWO: settings.two_steps}
    for stage, data in ((Stage.ONE, arm.one), (Stage.TWO, arm.two)):
        changes: dict[str, Any] = arm.changes | (arm.changes_two if stage is Stage.TWO else {})
        changes |= {"snapshot": snapshot_of(data), "seed": seed, "steps": steps[stage]}
        if data is Data.CURATED:
            changes["share"] = arm.share
        yield data, stage_config(stage, **changes)


def _leave_table(found: list[ArmResult], data: StudyData, settings: StudySettings) -> None:
    create_table_artifact(table(found, data, settings), key="study", description="Every arm over its seeds.")
