"""Runs whose process is gone and that Prefect goes on showing as running: they hold a slot, so nothing runs after them.

Two things set them right. A worker of `clapboard up` has a name of its own each time it starts, and what it started
ends with it; so once it ended, every open run that bears its name is lost, and `mend` says so at once. Where the whole
machine is lost nobody can say it, and an automation on the server notices that a run sends no heartbeats any more.
"""

import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from flows.server import client_settings, is_healthy

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

HEARTBEAT_S = 30
"""How often a run on a worker says that it is there: the least that Prefect takes."""

SILENT_S = 150
"""Five heartbeats; a run that was silent for so long is gone [ours]."""

SILENT_BY_HAND_S = 600
"""Three heartbeats of a run whose worker was started by hand, as Prefect sends them by default, and some [ours]."""

MEND_AGAIN_S = 2.0
"""How long until a server that did not answer is asked again."""

AUTOMATION = "clapboard: lost runs"
OUR_WORKERS = "clapboard-"
"""How the names of the workers of `clapboard up` begin."""

WORKER_LABEL = "prefect.worker.name"
MESSAGE = "its process ended with its worker; run it again, it goes on where it stopped"


class Lost:
    """Workers that ended, whose runs the server is to be told about as soon as it answers."""

    def __init__(self, names: set[str]) -> None:
        self.names, self.server, self._again_at = names, "", 0.0

    def settle(self) -> None:
        """Tell the server, if it answers; else at a later call, though not at once."""
        if time.monotonic() < self._again_at:
            return
        self._again_at = time.monotonic() + MEND_AGAIN_S
        self.settle_now()

    def settle_now(self) -> None:
        """Tell the server, if it answers."""
        if not self.names:
            return
        with suppress(Exception):  # whatever keeps the server from hearing it, the next call tries again
            if is_healthy(self.server):
                with client_settings(self.server, PREFECT_CLIENT_MAX_RETRIES=0):
                    mend(self.names)
                self.names = set()


def mend(workers: Collection[str]) -> int:
    """Mark the open runs of workers that have ended, with all they started, as crashed; returns how many there were.

    Prefect's settings say which server is asked.
    """
    return crash([run for run in open_runs() if run.labels.get(WORKER_LABEL) in workers])


def crash(runs: Sequence["FlowRun"]) -> int:
    """Mark runs, and the runs within them, as crashed; returns how many there were."""
    from prefect.client.orchestration import get_client
    from prefect.states import Crashed

    lost, below = list(runs), list(runs)
    while below := open_runs(below):  # a run within a run has no worker's name
        lost += below
    with get_client(sync_client=True) as client:
        for run in lost:
            client.set_flow_run_state(run.id, Crashed(message=MESSAGE), force=True)
    return len(lost)


def stuck_runs(online: Collection[str], *, silent_s: float | None = None) -> list["FlowRun"]:
    """Open runs whose worker is not among those online, and that have been silent for as long as no run is that lives.

    Args:
        online: names of the workers that the server hears of.
        silent_s: how long that is; by default `SILENT_S` for runs of a worker of `clapboard up`, and
            `SILENT_BY_HAND_S` for others, which send heartbeats less often.
    """
    found = []
    for run in open_runs():
        worker = str(run.labels.get(WORKER_LABEL, ""))
        usual = SILENT_S if worker.startswith(OUR_WORKERS) else SILENT_BY_HAND_S
        if worker and worker not in online and not _heard(run, usual if silent_s is None else silent_s):
            found.append(run)
    return found


def _heard(run: "FlowRun", within_s: float) -> bool:
    """Whether the server was told something of a run lately."""
    from prefect.client.orchestration import get_client
    from prefect.events.filters import EventFilter, EventOccurredFilter, EventResourceFilter

    since = datetime.now(UTC) - timedelta(seconds=within_s)
    if run.state and run.state.timestamp > since:
        return True  # events are written behind
    wanted = EventFilter(
        resource=EventResourceFilter(id=[f"prefect.flow-run.{run.id}"]),
        occurred=EventOccurredFilter(since=since),
    )
    with get_client(sync_client=True) as client:
        return bool(client.read_events(filter=wanted, limit=1).events)


def open_runs(within: Sequence["FlowRun"] | None = None) -> list["FlowRun"]:
    """Runs that have begun and not ended: all of them, or those right within others."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas import filters
    from prefect.client.schemas.objects import StateType

    if within is not None and not within:
        return []
    types = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
    wanted = filters.FlowRunFilter(state=filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=types)))
    if within:
        wanted.parent_flow_run_id = filters.FlowRunFilterParentFlowRunId(any_=[run.id for run in within])
    with get_client(sync_client=True) as client:
        return client.read_flow_runs(flow_run_filter=wanted)


def watch_for_silence(*, silent_s: float = SILENT_S) -> None:
    """Have the server mark runs as crashed that send no heartbeat for so long; one automation, however often asked."""
    from prefect.automations import AutomationCore, EventTrigger, Posture
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState

    wanted = AutomationCore(
        name=AUTOMATION,
        description="Marks runs as crashed that send no heartbeat any more. Made by `clapboard up`.",
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.*"},
            match={"prefect.resource.id": "prefect.flow-run.*"},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=silent_s),
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message=f"no heartbeat for {silent_s:.0f} s")],
    )
    with get_client(sync_client=True) as client:
        there = client.read_automations_by_name(AUTOMATION)
        if not there:
            client.create_automation(wanted)
        elif there[0].trigger != wanted.trigger:
            client.update_automation(there[0].id, wanted.model_copy(update={"enabled": there[0].enabled}))
