"""The flow that publishes what people accepted."""

from pathlib import Path

from prefect import flow
from pydantic import BaseModel, ConfigDict, Field

from curation.home.folder import Home, default_home
from curation.media.sandbox import MediaWorkers
from curation.review.progress import progress
from curation.settings.recipe import Recipe
from curation.steps.publish import Selection, publish_selection
from flows.artifacts import leave_dropped, leave_queue
from flows.events import tell_published
from flows.presets import default_recipe
from flows.progress import Step
from flows.summary import DroppedClip, PublishSummary


class PublishParams(BaseModel):
    """The parameters of a publication."""

    model_config = ConfigDict(extra="forbid")

    home: Path = Field(default_factory=default_home, description="folder of the ledger, videos and snapshots")
    recipe: Recipe = Field(default_factory=default_recipe, description="the recipe that the clips were curated with")


@flow(name="publish-curated")
def publish_curated(params: PublishParams) -> PublishSummary:
    """Cut and publish the clips that people accepted; what has to be left out is in the summary, with its reason."""
    home, recipe = Home(params.home.absolute()), params.recipe
    with home.ledger() as ledger, MediaWorkers(settings=recipe.sandbox, analysis=recipe.analysis) as workers:
        ledger.check()
        published = publish_selection(
            ledger, Selection.CURATED, home=home, recipe=recipe, workers=workers, progress=Step("cutting").show
        )
        queue = progress(ledger, recipe.review)
    dropped = [
        DroppedClip(
            clip_id=one.clip_id,
            link=one.link,
            start_us=one.start_us,
            end_us=one.end_us,
            outcome=one.outcome,
            remedy=one.outcome.remedy,
        )
        for one in published.dropped
    ]
    leave_dropped(dropped)
    leave_queue(queue, home=home.root, page=recipe.review.page)
    clips = int(published.snapshot.manifest["counts"]["clips"])
    if published.fresh:
        tell_published(home, published.snapshot.id, clips=clips)
    return PublishSummary(snapshot=published.snapshot.id, clips=clips, fresh=published.fresh, dropped=dropped)
