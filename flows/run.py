"""Run a flow from the command line: have a server, show progress, hand back the flow's summary."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from curation.home import Home
from curation.recipe import Recipe
from flows.cli.show import bars
from flows.progress import listening
from flows.server import prefect_server
from flows.summary import CurateSummary, PublishSummary, TrainSummary
from training.config import Stage


def run_curate(sources: Sequence[str], *, home: Home, recipe: Recipe, retry: bool = False) -> CurateSummary:
    """The curation flow; see `flows.curate.curate`."""
    with stage_set(home):
        from flows.curate import CurateParams, curate

        return curate(
            CurateParams(sources=[as_given(one) for one in sources], home=home.root, recipe=recipe, retry=retry)
        )


def run_publish_curated(*, home: Home, recipe: Recipe) -> PublishSummary:
    """The publication of reviewed clips; see `flows.publish.publish_curated`."""
    with stage_set(home):
        from flows.publish import PublishParams, publish_curated

        return publish_curated(PublishParams(home=home.root, recipe=recipe))


def run_train(*, home: Home, stage: int, settings: dict[str, object], backbone: str = "tiny") -> TrainSummary:
    """One stage of training; see `flows.train.train`. `settings` may name the snapshot too."""
    with stage_set(home):
        from flows.train import TrainParams, train

        rest = dict(settings)
        snapshot = rest.pop("snapshot", None)
        return train(
            TrainParams(
                stage=Stage(stage),
                home=home.root,
                backbone=backbone,
                snapshot=str(snapshot) if snapshot else None,
                settings=rest,
            )
        )


def stage_set(home: Home) -> ExitStack:
    """A server to talk to and bars on the terminal, for the length of a `with` block."""
    stack = ExitStack()
    stack.enter_context(prefect_server(home))
    stack.enter_context(listening(stack.enter_context(bars())))
    return stack


def as_given(source: str) -> str:
    """A source as the flow should get it: links as they are, paths absolute, since a worker has its own folder."""
    return source if "://" in source else str(Path(source).absolute())
