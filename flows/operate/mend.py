"""What the Prefect server of a home lacks or holds up, each with the command that mends it; and mending it.

What somebody may have meant, such as a pause, is only named.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import yaml

from curation.home.folder import Home
from flows.findings import Finding, State
from flows.operate.deployments import prefect_file, put_deployments
from flows.operate.lost import crash, stuck_runs, watch_for_silence
from flows.operate.notify import watch_for_people
from flows.operate.parts import WORKERS
from flows.operate.status import Status, status_of
from flows.server import known_server

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

MEND = "clapboard doctor --mend"


@dataclass(frozen=True, slots=True)
class _Seen:
    """What there is on the server; pools by name, with whether they are paused."""

    status: Status
    pools: Mapping[str, bool]
    stuck: list["FlowRun"]

    @property
    def missing_pools(self) -> list[str]:
        return [part.value for part in WORKERS if part.value not in self.pools]

    @property
    def missing_deployments(self) -> list[str]:
        there = {one.name for one in self.status.deployments}
        return [name for name in _entry_points() if name not in there]


def put_all(*, nightly: bool | None, say: Callable[[str], None]) -> int:
    """Put on the server of Prefect's settings all that is ours: pools, deployments, automations; returns how many
    deployments there are. What is there stays as people left it; see `put_deployments`."""
    count = put_deployments(nightly=nightly, say=say)
    watch_for_silence()
    watch_for_people()
    return count


def examine_server(home: Home, *, silent_s: float | None = None) -> list[Finding]:
    """Look at the server that answers for a home, if one does; `silent_s` as in `stuck_runs`.

    Raises:
        Unavailable: `PREFECT_API_URL` names a server that does not answer.
    """
    with known_server(home) as url:
        if url is None:
            return []
        found = list(_findings(_look(home, silent_s)))
        everything = "pools, deployments and workers are there, nothing is stuck or paused"
        return found or [Finding("orchestration", State.OK, everything)]


def mend_server(home: Home, *, silent_s: float | None = None, say: Callable[[str], None]) -> bool:
    """Put right what can be put right from here; returns whether a server answered. `say` is told what was done.

    Raises:
        Unavailable: `PREFECT_API_URL` names a server that does not answer, or Prefect could not deploy.
    """
    with known_server(home) as url:
        if url is None:
            return False
        seen = _look(home, silent_s)
        if seen.stuck:
            names = ", ".join(run.name for run in seen.stuck)
            say(f"{crash(seen.stuck)} runs are marked as crashed, with those within them: {names}")
        lacking = [f"pool {name}" for name in seen.missing_pools]
        lacking += [f"deployment {name}" for name in seen.missing_deployments]
        if lacking:
            put_all(nightly=None, say=say)
            say(f"made: {', '.join(lacking)}")
        if not (seen.stuck or lacking):
            say("nothing on the server had to be mended")
        return True


def _look(home: Home, silent_s: float | None) -> _Seen:
    from prefect.client.orchestration import get_client

    status = status_of(home)
    with get_client(sync_client=True) as client:
        pools = {one.name: one.is_paused for one in client.read_work_pools()}
    return _Seen(status, pools, stuck_runs({one.name for one in status.workers}, silent_s=silent_s))


def _findings(seen: _Seen) -> Iterator[Finding]:
    for run in seen.stuck:
        state = f"{run.state_name}, but its worker is gone"
        yield Finding(f"run {run.name}", State.LACKING, f"{state}; nothing of its deployment runs until it ends", MEND)
    for name in seen.missing_pools:
        yield Finding(f"pool {name}", State.LACKING, "the server has none", MEND)
    for name in seen.missing_deployments:
        yield Finding(f"deployment {name}", State.LACKING, "the server has none", MEND)
    at_work = {one.pool for one in seen.status.workers}
    for name in WORKERS:
        if seen.pools.get(name):
            yield Finding(f"pool {name}", State.LACKING, "it is paused", f"prefect work-pool resume {name}")
        if name not in at_work:
            yield Finding(f"worker {name}", State.LACKING, "none is heard of", f"clapboard up --only {name}")
    yield from _paused(seen)


def _paused(seen: _Seen) -> Iterator[Finding]:
    """Deployments that were paused, and schedules that were switched off, whose next run will not come."""
    for one in seen.status.deployments:
        if one.name not in (entries := _entry_points()):
            continue
        named = f"{entries[one.name].rpartition('.')[2].replace('_', '-')}/{one.name}"
        if one.paused:
            where = f"{(seen.status.server or '').removesuffix('/api')}/deployments"
            yield Finding(f"deployment {one.name}", State.LACKING, "it is paused", f"switch it on: {where}")
        for schedule in one.schedules:
            if not schedule.active:
                how = (
                    "clapboard up --nightly"
                    if schedule.name == "nightly"
                    else f"prefect deployment schedule ls {named}"
                )
                yield Finding(f"schedule {one.name}", State.OK, str(schedule), how)


@cache
def _entry_points() -> dict[str, str]:
    """The deployments of prefect.yaml, with what each runs."""
    listed = yaml.safe_load(prefect_file().read_text(encoding="utf-8"))["deployments"]
    return {one["name"]: one["entrypoint"] for one in listed}
