"""A scheduled curation whose hosts turned it away goes on when they may be asked again; until then its schedule rests.

The run that is turned away leaves one run on the server for that time; scheduled runs before it end at once and say so.
All of that lies in Prefect's database: it outlives restarts, and whoever deletes that run has the schedule go on.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from curation.home.folder import Home
from curation.steps.politeness import seconds_to_next_try
from flows.standing import sources_of_run

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

TAG = "goes on later"
"""Of the run that goes on."""

MOST = timedelta(days=1)
"""A host that wants to be left alone for longer is left alone, and the schedule goes on with the others [ours]."""

SLACK = timedelta(seconds=2)
"""So much after the first host may be asked again: two machines' clocks differ."""


class Given(Protocol):
    """What a curation run is told."""

    @property
    def home(self) -> Path: ...  # noqa: D102

    @property
    def sources(self) -> Sequence[str]: ...  # noqa: D102


G = TypeVar("G", bound=Given)
T = TypeVar("T")


def goes_on_later(body: Callable[[G], T]) -> Callable[[G], T]:
    """Have a curation flow that a schedule started leave one run for later where hosts turned it away; see above."""

    @wraps(body)
    def run(params: G) -> T:
        this = _scheduled_run()
        if this is None:
            return body(params)
        if at := _awaited(this):
            skipped: T = _skipped(at)
            return skipped
        made = body(params)
        _plan(this, params)
        return made

    return run


def _scheduled_run() -> "FlowRun | None":
    """The run that this is, where a schedule made it, or one that a schedule made left it."""
    from prefect.context import FlowRunContext

    context = FlowRunContext.get()
    run = context.flow_run if context else None
    return run if run and run.deployment_id and (run.auto_scheduled or TAG in run.tags) else None


def _awaited(this: "FlowRun") -> datetime | None:
    """When the run that goes on is due, if one is waited for."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas import filters
    from prefect.client.schemas.objects import StateType

    scheduled = filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=[StateType.SCHEDULED]))
    wanted = filters.FlowRunFilter(
        state=scheduled,
        tags=filters.FlowRunFilterTags(all_=[TAG]),
        deployment_id=filters.FlowRunFilterDeploymentId(any_=[this.deployment_id]),
    )
    with get_client(sync_client=True) as client:
        due = [run.next_scheduled_start_time for run in client.read_flow_runs(flow_run_filter=wanted)]
    return min((at for at in due if at and at > datetime.now(UTC)), default=None)


def _skipped(at: datetime) -> Any:
    """What a flow returns in place of its result, for Prefect to end its run so."""
    from prefect.states import Completed

    return Completed(name="Skipped", message=f"hosts turned us away; the run at {_told(at)} goes on with them")


def _plan(this: "FlowRun", params: Given) -> None:
    """Leave a run for when the first host that turned us away may be asked again."""
    from prefect.client.orchestration import get_client
    from prefect.logging import get_run_logger
    from prefect.states import Scheduled

    with Home(params.home.absolute()).ledger() as ledger:
        sources, _ = sources_of_run(ledger, params.sources)
        wait_s = seconds_to_next_try(ledger, sources)
    if wait_s is None or (wait := timedelta(seconds=wait_s)) > MOST or this.deployment_id is None:
        return
    at = datetime.now(UTC) + wait + SLACK
    with suppress(Exception), get_client(sync_client=True) as client:
        # Where the server does not take it, the schedule simply goes on.
        client.create_flow_run_from_deployment(
            this.deployment_id,
            parameters=this.parameters,
            state=Scheduled(scheduled_time=at),
            tags=[TAG],
            idempotency_key=f"{this.id} {TAG}",
        )
        get_run_logger().info("hosts turned us away: a run at %s goes on, and the schedule rests until then", _told(at))


def _told(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
