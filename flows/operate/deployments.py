"""Put Clapboard's deployments on a server, as often as wanted: what people changed there stays as they left it."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flows.operate.parts import WORKERS
from shards.errors import BadInput, Unavailable

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import DeploymentSchedule
    from prefect.client.schemas.responses import DeploymentResponse
    from prefect.events.schemas.automations import Automation

_HERE = Path(__file__).resolve().parent.parent
NIGHTLY = ("curate", "nightly")
"""The deployment and the schedule that `clapboard up --nightly` switches on."""

DEPLOY_TIMEOUT_S = 300
OURS = "flows."
"""How the entry points of our deployments begin."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What people may have changed on the server."""

    deployments: dict[str, "DeploymentResponse"]
    automations: dict[str, "Automation"]


def prefect_file() -> Path:
    """prefect.yaml: beside the packages in a checkout, inside `flows` in an installed wheel.

    Raises:
        Unavailable: it is at neither place.
    """
    for place in (_HERE / "prefect.yaml", _HERE.parent / "prefect.yaml"):
        if place.is_file():
            return place
    raise Unavailable(f"prefect.yaml is not at {_HERE}", remedy="install Clapboard again")


def put_deployments(*, nightly: bool | None, say: Callable[[str], None]) -> int:
    """Make the work pools and every deployment of prefect.yaml on the server of Prefect's settings; returns how many.

    Schedules, parameters, pauses, and automations with their parameters stay as they are there.

    Args:
        nightly: switch the nightly schedule on or off; None leaves it.
        say: told what could not be kept.

    Raises:
        Unavailable: Prefect could not deploy.
    """
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        _make_pools(client)
        before = _what_is_there(client)
        _deploy()
        after = _what_is_there(client)
        _restore(client, before, after, say)
        if nightly is not None:
            _switch(client, nightly)
    return len(after.deployments)


def _make_pools(client: "SyncPrefectClient") -> None:
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists
    from prefect.workers.process import ProcessWorker

    there = {pool.name for pool in client.read_work_pools()}
    for part in WORKERS:
        if part.value in there:
            continue
        template = ProcessWorker.get_default_base_job_template()
        try:
            client.create_work_pool(WorkPoolCreate(name=part.value, type="process", base_job_template=template))
        except ObjectAlreadyExists:
            continue  # another machine was quicker


def _deploy() -> None:
    from prefect.settings import PREFECT_API_URL

    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(prefect_file())]
    # Prefect may write into the folder it is started in.
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | {"PREFECT_API_URL": str(PREFECT_API_URL.value())},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEPLOY_TIMEOUT_S,
            check=False,
        )
    if done.returncode:
        lines = (done.stderr + done.stdout).strip().splitlines() or ["it said nothing"]
        raise Unavailable(
            f"the deployments could not be made: {lines[-1]}",
            remedy=f"see what this says: prefect deploy --all --prefect-file {prefect_file()}",
        )


def _what_is_there(client: "SyncPrefectClient") -> Kept:
    automations = {one.name: one for one in client.read_automations()}
    return Kept({one.name: one for one in our_deployments(client)}, automations)


def our_deployments(client: "SyncPrefectClient") -> list["DeploymentResponse"]:
    """Those of Clapboard; a server of one's own may hold other people's, of the same names even."""
    return [one for one in client.read_deployments() if (one.entrypoint or "").startswith(OURS)]


def _restore(client: "SyncPrefectClient", before: Kept, after: Kept, say: Callable[[str], None]) -> None:
    from prefect.client.schemas.actions import DeploymentUpdate
    from prefect.exceptions import PrefectHTTPStatusError

    for name, new in after.deployments.items():
        if (old := before.deployments.get(name)) is None:
            continue
        _restore_schedules(client, old, new)
        if old.parameters == new.parameters and old.paused == new.paused:
            continue
        try:
            client.update_deployment(new.id, DeploymentUpdate(parameters=old.parameters, paused=old.paused))
        except PrefectHTTPStatusError as error:
            say(f"the parameters of {name} are prefect.yaml's again, those it had are none any more: {error}")
    for one in after.automations.values():
        _restore_automation(client, before.automations.get(one.name, one), one)


def _restore_automation(client: "SyncPrefectClient", old: "Automation", new: "Automation") -> None:
    """Whether it is on, and with which parameters it runs what it runs."""
    from prefect.automations import AutomationCore

    targets = [[getattr(action, "deployment_id", None) for action in one.actions] for one in (old, new)]
    actions = old.actions if targets[0] == targets[1] else new.actions
    if (old.enabled, actions) != (new.enabled, new.actions):
        # Whose it is can be read and not written.
        kept = {name: getattr(new, name) for name in AutomationCore.model_fields if name != "owner_resource"}
        client.update_automation(new.id, AutomationCore(**kept | {"enabled": old.enabled, "actions": actions}))


def _restore_schedules(client: "SyncPrefectClient", old: "DeploymentResponse", new: "DeploymentResponse") -> None:
    there = {one.slug: one for one in new.schedules}
    for one in old.schedules:
        made = there.get(one.slug) if one.slug else None
        if made is None:
            if any(_told(one) == _told(other) for other in new.schedules):
                continue
            again = [(one.schedule, one.active)]
            client.create_deployment_schedules(new.id, again, parameters=one.parameters, slug=one.slug)
        elif _told(made) != _told(one):
            client.update_deployment_schedule(
                new.id, made.id, active=one.active, schedule=one.schedule, parameters=one.parameters
            )


def _told(one: "DeploymentSchedule") -> tuple[object, ...]:
    """What a schedule is told: when, whether, and with which parameters."""
    return one.schedule, one.active, one.parameters


def _switch(client: "SyncPrefectClient", on: bool) -> None:
    deployment, slug = NIGHTLY
    found = _what_is_there(client).deployments[deployment]
    schedule = next((one for one in found.schedules if one.slug == slug), None)
    if schedule is None:
        raise BadInput(f"{deployment} has no schedule {slug} any more", remedy="make one in Prefect's UI")
    client.update_deployment_schedule(found.id, schedule.id, active=on)
