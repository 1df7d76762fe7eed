"""Run a flow from the command line: have a server, show progress, hand back the flow's summary."""

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from curation.home.folder import Home
from curation.settings.recipe import Recipe
from curation.sources.read import check_is_there, is_path
from flows.cli.show import bars
from flows.progress import listening
from flows.server import prefect_server
from flows.stopping import whole_process
from flows.summary import CurateSummary, PublishSummary, TrainSummary
from shards.errors import ClapboardError
from training.settings.config import DEFAULT_BACKBONE, Stage

LOCK = ".lock"


def run_curate(
    sources: Sequence[str], *, home: Home, recipe: Recipe, retry: bool = False, **more: Any
) -> CurateSummary:
    """The curation flow; see `flows.curate.curate`. `more` says who works the videos off.

    Raises:
        BadInput: a source is a path at which there is nothing; nobody waits for a server to be told of a slip.
    """
    given = [as_given(one) for one in sources]
    for one in given:
        check_is_there(one)
    with stage_set(home):
        from flows.curate import CurateParams, curate

        return curate(CurateParams(sources=given, home=home.root, recipe=recipe, retry=retry, **more))


def run_publish_curated(*, home: Home, recipe: Recipe) -> PublishSummary:
    """The publication of reviewed clips; see `flows.publish.publish_curated`."""
    with stage_set(home):
        from flows.publish import PublishParams, publish_curated

        return publish_curated(PublishParams(home=home.root, recipe=recipe))


def run_train(*, home: Home, stage: int, settings: dict[str, object], backbone: str = DEFAULT_BACKBONE) -> TrainSummary:
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


def run_train_both(*, home: Home, settings: dict[str, object], backbone: str = DEFAULT_BACKBONE) -> list[TrainSummary]:
    """Both stages of training; see `flows.train.train_both`."""
    with stage_set(home):
        from flows.train import BothParams, train_both

        return train_both(BothParams(home=home.root, backbone=backbone, settings=settings))


@contextmanager
def stage_set(home: Home) -> Iterator[None]:
    """The home to ourselves, a server to talk to, bars on the terminal, for the length of a `with` block."""
    with alone_in(home), prefect_server(home), bars() as listener, listening(listener), whole_process():
        yield


@contextmanager
def alone_in(home: Home) -> Iterator[None]:
    """Hold a home for one command: two at once would do the same work twice, and one would stop the other's server.

    Raises:
        ClapboardError: another command works there. The system drops the lock when its holder ends, however it ends.
    """
    home.make()
    with (home.root / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ClapboardError(
                f"another command is working in {home.root}", remedy="wait until it is done, or name another --home"
            ) from error
        yield


def as_given(source: str) -> str:
    """A source as the flow should get it: links and lists as they are, paths absolute, as workers lie elsewhere."""
    return str(Path(source).absolute()) if is_path(source) else source
