"""What runs for a home: its parts on this machine, and what its Prefect server knows."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from curation.home.folder import Home
from flows.operate.hold import holders
from flows.operate.lost import WORKER_LABEL, open_runs
from flows.operate.parts import WORKERS, Part
from flows.server import known_server

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun
    from prefect.client.schemas.responses import DeploymentResponse


@dataclass(frozen=True, slots=True)
class PartStatus:
    """A part on this machine; `pid` is None where it does not run."""

    part: str
    pid: int | None = None
    since: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """A worker that the server knows, on whatever machine."""

    pool: str
    name: str
    state: str
    seen: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a deployment is run."""

    name: str
    when: str
    active: bool

    def __str__(self) -> str:
        return f"{self.name} {self.when} ({'on' if self.active else 'off'})"


@dataclass(frozen=True, slots=True)
class DeploymentStatus:
    """A deployment; `last` is the state of its last run that began, with what was said of a failure."""

    name: str
    schedules: list[Schedule]
    paused: bool
    last: str = "-"
    last_at: str = ""


@dataclass(frozen=True, slots=True)
class RunStatus:
    """A run that has begun and not ended."""

    name: str
    deployment: str
    state: str
    since: str
    worker: str


@dataclass(frozen=True, slots=True)
class Status:
    """All of it; `server` is None where none answers, and the lists after it are empty then."""

    home: str
    parts: list[PartStatus]
    server: str | None = None
    workers: list[WorkerStatus] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    """What somebody should look at, a sentence each."""
    deployments: list[DeploymentStatus] = field(default_factory=list)
    runs: list[RunStatus] = field(default_factory=list)


def status_of(home: Home) -> Status:
    """Look; starts nothing.

    Raises:
        Unavailable: `PREFECT_API_URL` names a server that does not answer.
    """
    running = holders(home)
    parts = [
        PartStatus(part, note.pid, _time(datetime.fromtimestamp(note.since, UTC)), note.url)
        if (note := running.get(part))
        else PartStatus(part)
        for part in Part
    ]
    with known_server(home) as url:
        if url is None:
            return Status(str(home.root), parts, troubles=["no Prefect server answers: clapboard up"])
        from prefect.client.orchestration import get_client

        with get_client(sync_client=True) as client:
            known = sorted(client.read_deployments(), key=lambda one: one.name)
            names: dict[UUID | None, str] = {one.id: one.name for one in known}
            workers, deployments = _workers(client), [_deployment(client, one) for one in known]
            return Status(
                str(home.root),
                parts,
                server=url,
                workers=workers,
                troubles=_troubles(workers, deployments),
                deployments=deployments,
                runs=[_run(one, names.get(one.deployment_id, "-")) for one in open_runs()],
            )


def _workers(client: "SyncPrefectClient") -> list[WorkerStatus]:
    pools = {pool.name for pool in client.read_work_pools()} & {part.value for part in WORKERS}
    return [
        WorkerStatus(pool, one.name, "online", _time(one.last_heartbeat_time))
        for pool in sorted(pools)
        for one in client.read_workers_for_work_pool(pool)
        if one.status and one.status.value == "ONLINE"
    ]


def _troubles(workers: list[WorkerStatus], deployments: list[DeploymentStatus]) -> list[str]:
    there = {one.pool for one in workers}
    idle = [f"no worker works for the pool {part}: clapboard up" for part in WORKERS if part not in there]
    bad = [
        f"the last run of {one.name}: {one.last}" for one in deployments if one.last.startswith(("Failed", "Crashed"))
    ]
    return ([] if deployments else ["nothing is deployed: clapboard up"]) + idle + bad


def _deployment(client: "SyncPrefectClient", one: "DeploymentResponse") -> DeploymentStatus:
    from prefect.client.schemas.filters import (
        DeploymentFilter,
        DeploymentFilterId,
        FlowRunFilter,
        FlowRunFilterStartTime,
    )
    from prefect.client.schemas.sorting import FlowRunSort

    began = client.read_flow_runs(
        deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[one.id])),
        flow_run_filter=FlowRunFilter(start_time=FlowRunFilterStartTime(is_null_=False)),
        sort=FlowRunSort.START_TIME_DESC,
        limit=1,
    )
    schedules = [Schedule(each.slug or "-", _when(each.schedule), each.active) for each in one.schedules]
    if not began:
        return DeploymentStatus(one.name, schedules, one.paused)
    last = began[0]
    return DeploymentStatus(one.name, schedules, one.paused, _state(last), _time(last.end_time or last.start_time))


def _state(run: "FlowRun") -> str:
    """The name of a run's state, and of a bad end the first line of why."""
    name = run.state_name or "-"
    bad = run.state is not None and (run.state.is_failed() or run.state.is_crashed()) and run.state.message
    return f"{name}: {bad.splitlines()[0][:200]}" if bad else name


def _run(run: "FlowRun", deployment: str) -> RunStatus:
    worker = str(run.labels.get(WORKER_LABEL, "-"))
    return RunStatus(run.name, deployment, run.state_name or "-", _time(run.start_time), worker)


def _when(schedule: object) -> str:
    cron, every = getattr(schedule, "cron", None), getattr(schedule, "interval", None)
    zone = getattr(schedule, "timezone", None) or "UTC"
    return f"{cron} {zone}" if cron else f"every {every}" if every else str(getattr(schedule, "rrule", "-"))


def _time(at: datetime | None) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if at else ""
