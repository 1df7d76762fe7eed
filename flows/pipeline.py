"""The whole journey as one flow: curate, publish what people accepted so far, train both stages.

People need hours, so the pipeline does not wait for them: stage two runs if there is a curated snapshot by then, and
the next run of the pipeline picks up what was reviewed since.
"""

from pathlib import Path

from prefect import flow
from pydantic import BaseModel, Field

from curation.home.folder import Home, default_home
from curation.steps.publish import Selection, clips_to_publish
from flows.curate import CurateParams, curate
from flows.names import dated, named_sources
from flows.parameters import Preset, RecipeOnTop, Sources, WithRecipe
from flows.publish import PublishParams, publish_curated
from flows.stopping import stoppable
from flows.summary import CurateSummary, PublishSummary, TrainSummary
from flows.train import BothParams, train
from training.settings.config import DEFAULT_BACKBONE, Stage


class PipelineParams(WithRecipe):
    """The parameters of the pipeline; Prefect draws its form from them."""

    sources: Sources = Field([], description="tables, folders, files, tars, links, lists; none: the standing ones")
    preset: Preset = ""
    recipe: RecipeOnTop
    home: Path = Field(
        default_factory=default_home,
        description="folder of the ledger, snapshots and runs; empty: the worker's CLAPBOARD_HOME",
    )
    backbone: str = Field(DEFAULT_BACKBONE, description="which frozen video generator")
    training: dict[str, object] = Field(
        default_factory=dict, description="settings of training; those in the tables `one` and `two` for that stage"
    )

    @property
    def run_name(self) -> str:
        """What a run of these is called."""
        return dated("pipeline", named_sources(self.sources))


class PipelineSummary(BaseModel):
    """What the pipeline did; None where there was nothing to work on yet."""

    curated: CurateSummary
    published: PublishSummary | None
    stage_one: TrainSummary | None
    stage_two: TrainSummary | None


@flow(name="pipeline", flow_run_name="{params.run_name}")
@stoppable(within_s=None)
def pipeline(params: PipelineParams) -> PipelineSummary:
    """Curate, publish, train, train."""
    home = Home(params.home.absolute())
    curated = curate(CurateParams(sources=params.sources, home=home.root, recipe=params.recipe))
    with home.ledger() as ledger:
        anything = any(clips_to_publish(ledger, Selection.CURATED))
    published = publish_curated(PublishParams(home=home.root, recipe=params.recipe)) if anything else None
    both = BothParams(home=home.root, backbone=params.backbone, settings=params.training)
    one = train(both.of(Stage.ONE)) if curated.snapshot else None
    two = train(both.of(Stage.TWO, init_from=one.run_dir)) if one and one.finished and published else None
    return PipelineSummary(curated=curated, published=published, stage_one=one, stage_two=two)
