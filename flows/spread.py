"""Where a run's videos are worked off: in this process, by the workers of a pool, or on a Ray cluster.

Whoever does it claims videos in the ledger, so nothing is handed out and nothing has to be handed back: shares are
equal by themselves, a machine that dies loses what it had under way, and the run that asked does what is left.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from pydantic import Field
from sqlalchemy import and_

from curation.home.folder import Home, default_home, file_of
from curation.ledger.tables import Video
from curation.outcomes import Outcome
from curation.settings.recipe import Recipe
from curation.steps.due import count_of, is_due
from curation.steps.one_pass import Claims, Worked
from flows.names import dated
from flows.parameters import Preset, RecipeOnTop, WithRecipe
from flows.shift import THREADS_OF_FLOW, Shift, at_work, work_off
from flows.stopping import stoppable
from shards.errors import Unavailable

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

DEPLOYMENT = "curate-share/curate-share"
BEGINS_WITHIN_S = 90.0
"""Workers look every 5 s, and a flow's process needs some 5 s on an idle core; this is for a busy machine [ours]."""

LOOK_S = 2.0


class ShareParams(WithRecipe):
    """The parameters of a share of a curation run."""

    preset: Preset = ""
    recipe: RecipeOnTop
    home: Path = Field(default_factory=default_home, description="this machine's folder of videos and cuts")
    retry: bool = Field(False, description="try again what failed for good")

    @property
    def run_name(self) -> str:
        """What a run of these is called."""
        return dated("share of a curation")


@flow(name="curate-share", flow_run_name="{params.run_name}", task_runner=THREADS_OF_FLOW)  # type: ignore[arg-type]
@stoppable()
def curate_share(params: ShareParams) -> int:
    """Work videos off with other runs until none is left; who asked for it decides and publishes. Returns how many."""
    with at_work(Home(params.home.absolute()), params.recipe) as shift:
        return work_off(shift, is_due(shift.scores, params.recipe, retry=params.retry)).measured


def by_workers(shift: Shift, shares: int, *, retry: bool) -> Worked:
    """Have runs of the deployment `curate-share` work off what is due; returns when all of them ended, however.

    Raises:
        Unavailable: the server knows no such deployment, or no worker takes any of them.
    """
    # Machines with homes of their own have one ledger by its URL; else all share this folder.
    shared = {"home": str(shift.home.root)} if file_of(shift.home.ledger_url) else {}
    # A proxy's password is nothing for Prefect's pages: workers find it in CLAPBOARD_RECIPE.
    recipe = divided(shift.recipe, shares).model_dump(mode="json", exclude={"fetch": {"proxy"}})
    params = {"recipe": recipe, "retry": retry} | shared
    with _counted(shift, retry=retry) as worked, _ended_with_us() as runs:
        for _ in range(shares):
            runs.append(_started(params))
        _wait_for(runs)
    return worked[0]


def by_ray(shift: Shift, shares: int, *, address: str, retry: bool) -> Worked:
    """Have processes of a Ray cluster work off what is due; an address of "" starts a cluster of this machine alone.

    Raises:
        Unavailable: `prefect-ray` is not installed.
    """
    try:
        from prefect_ray.task_runners import RayTaskRunner
    except ImportError as error:
        raise Unavailable("the runner `ray` needs prefect-ray", remedy='pip install "clapboard[ray]"') from error
    recipe = divided(shift.recipe, shares)
    with _counted(shift, retry=retry) as worked, RayTaskRunner(address=address or None) as runner:
        parameters = {"home": shift.home.root, "recipe": recipe, "retry": retry}
        for future in [runner.submit(share_on_ray, parameters) for _ in range(shares)]:
            future.wait()
    return worked[0]


@task(cache_policy=NO_CACHE)
def share_on_ray(home: Path, recipe: Recipe, retry: bool) -> int:
    """A share in a process of its own, with one decoder; returns how many videos it measured."""
    with at_work(Home(home), recipe, decoders=1) as shift:
        claims = Claims(shift.ledger, is_due(shift.scores, shift.recipe, retry=retry), holder=shift.holder)
        return shift.one_pass.work(claims, told=shift.tell).measured


def divided(recipe: Recipe, shares: int) -> Recipe:
    """The recipe of a share: all together ask no more of a host than one run would."""
    fetch = recipe.fetch
    slower = {"videos_per_hour": fetch.videos_per_hour / shares, "pause_s": fetch.pause_s * shares}
    return recipe.model_copy(update={"fetch": fetch.model_copy(update=slower)})


@contextmanager
def _counted(shift: Shift, *, retry: bool) -> Iterator[list[Worked]]:
    """What others did meanwhile, as the ledger has it."""
    due, start, worked = is_due(shift.scores, shift.recipe, retry=retry), datetime.now(UTC), list[Worked]()
    before = count_of(shift.ledger, due)
    yield worked
    fetched = count_of(shift.ledger, and_(Video.fetch == Outcome.OK, Video.fetched_at >= start))
    worked.append(Worked(fetched, max(0, before - count_of(shift.ledger, due))))


@contextmanager
def _ended_with_us() -> "Iterator[list[FlowRun]]":
    """Runs that are cancelled if this block does not end well."""
    from prefect.client.orchestration import get_client
    from prefect.states import Cancelling

    runs: list[FlowRun] = []
    try:
        yield runs
    except BaseException:
        with get_client(sync_client=True) as client:
            for run in runs:
                client.set_flow_run_state(run.id, Cancelling(message="the run that asked for it ended"))
        raise


def _started(params: dict[str, object]) -> "FlowRun":
    from prefect.deployments import run_deployment
    from prefect.exceptions import ObjectNotFound

    try:
        return run_deployment(DEPLOYMENT, parameters={"params": params}, timeout=0)  # type: ignore[return-value]
    except ObjectNotFound as error:
        raise Unavailable(
            "this Prefect server has no deployment `curate-share`, so no worker can take a share",
            remedy="start server and workers: clapboard up; or leave --spread out",
        ) from error


def _wait_for(runs: "Sequence[FlowRun]") -> None:
    """Until all ended.

    Raises:
        Unavailable: none began.
    """
    from prefect.client.orchestration import get_client

    last = time.monotonic() + BEGINS_WITHIN_S
    with get_client(sync_client=True) as client:
        while True:
            now = [_state(client, run.id) for run in runs]
            if all(final for final, _ in now):
                return
            if time.monotonic() > last and not any(began for _, began in now):
                raise Unavailable(
                    f"no worker of the pool `curation` took a share within {BEGINS_WITHIN_S:.0f} s",
                    remedy="start some: clapboard up --only curation, on each machine; or leave --spread out",
                )
            time.sleep(LOOK_S)


def _state(client: "SyncPrefectClient", run_id: UUID) -> tuple[bool, bool]:
    """Whether a run has ended, and whether it ever began."""
    run = client.read_flow_run(run_id)
    final = run.state is not None and run.state.is_final()
    return final, final or run.start_time is not None
