"""The flow that publishes what people accepted."""

from pathlib import Path

from prefect import flow
from pydantic import Field

from curation.home.folder import Home, default_home
from curation.home.store import Keep
from curation.ledger.leases import kept_up, new_holder, turn
from curation.media.sandbox import MediaWorkers
from curation.review.progress import progress
from curation.steps.ingest import bring_with
from curation.steps.politeness import governor_of
from curation.steps.publish import Selection, publish_selection
from curation.steps.release import release_all
from flows.artifacts import leave_dropped, leave_queue
from flows.events import tell_published
from flows.lineage import tell_made
from flows.names import dated
from flows.parameters import Preset, RecipeOnTop, WithRecipe
from flows.progress import Step, run_logger
from flows.shift import PUBLISHING
from flows.stopping import stoppable
from flows.summary import DroppedClip, PublishSummary


class PublishParams(WithRecipe):
    """The parameters of a publication, with the recipe that the clips were curated with; Prefect draws its form so."""

    preset: Preset = ""
    recipe: RecipeOnTop
    home: Path = Field(
        default_factory=default_home,
        description="folder of the ledger, videos and snapshots; empty: the worker's CLAPBOARD_HOME",
    )

    @property
    def run_name(self) -> str:
        """What a run of these is called."""
        return dated("publish", Selection.CURATED.value)


@flow(name="publish-curated", flow_run_name="{params.run_name}")
@stoppable()
def publish_curated(params: PublishParams) -> PublishSummary:
    """Cut and publish the clips that people accepted; what has to be left out is in the summary, with its reason."""
    home, recipe, holder = Home(params.home.absolute()), params.recipe, new_holder()
    with (
        home.ledger() as ledger,
        MediaWorkers(settings=recipe.sandbox, analysis=recipe.analysis) as workers,
        kept_up(ledger, holder),
        turn(ledger, PUBLISHING, holder),
    ):
        ledger.check()
        published = publish_selection(
            ledger,
            Selection.CURATED,
            home=home,
            recipe=recipe,
            workers=workers,
            bring=bring_with(ledger, home, recipe, governor_of(ledger, recipe.fetch)),
            progress=Step("cutting").show,
        )
        queue = progress(ledger, recipe.review)
        if recipe.store.keep is not Keep.ALWAYS:
            release_all(ledger, home, holder=holder)
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
    for one in dropped:
        run_logger().warning("left out: clip %s, %s", one.clip_id, one.outcome)
    leave_dropped(dropped)
    leave_queue(queue, home=home.root, page=recipe.review.page)
    clips = int(published.snapshot.manifest["counts"]["clips"])
    if published.fresh:
        tell_published(home, published.snapshot.id, clips=clips)
        content = published.snapshot.manifest["content"]
        # Of what people answered, which lies in the home.
        tell_made(published.snapshot.path, of=[home.root], facts={"clips": clips, "content": content})
    return PublishSummary(snapshot=published.snapshot.id, clips=clips, fresh=published.fresh, dropped=dropped)
