"""`clapboard doctor` on a real server: it names what lacks or is stuck, mends what it can, leaves what people meant."""

import json

import httpx
import pytest
from typer.testing import CliRunner

from curation.home.folder import Home
from flows.cli.app import app
from flows.operate.deployments import put_deployments
from flows.operate.lost import WORKER_LABEL
from flows.operate.mend import MEND, examine_server, mend_server
from flows.server import client_settings, free_port, start_server, stop_server
from tests.operating import api_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A home whose server runs, and is empty at first."""
    home = Home(tmp_path_factory.mktemp("mend") / "home")
    process, url = start_server(home, port=free_port())
    yield home, url
    stop_server(process, home)


@pytest.fixture
def api(server, monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with api_of(server[1]) as client:
        yield client


@pytest.fixture(scope="module")
def furnished(server) -> Home:
    """That home, once its server has all it should have."""
    home, url = server
    with client_settings(url):
        put_deployments(nightly=None, say=print)
    return home


def run_of_a_worker(api: httpx.Client, worker: str, *, state: str = "RUNNING", within: str | None = None) -> str:
    """A run that is as a worker left it when it was killed."""
    curate = next(one for one in api.post("/deployments/filter", json={}).json() if one["name"] == "curate")
    if within:
        task = {"flow_run_id": within, "task_key": "curate", "dynamic_key": "0"}
        parent = api.post("/task_runs/", json=task).json()["id"]
        made = api.post("/flow_runs/", json={"flow_id": curate["flow_id"], "parent_task_run_id": parent})
    else:
        made = api.post(f"/deployments/{curate['id']}/create_flow_run", json={})
        api.patch(f"/flow_runs/{made.json()['id']}/labels", json={WORKER_LABEL: worker}).raise_for_status()
    run = made.json()["id"]
    for one in {"CANCELLING": ("RUNNING", "CANCELLING")}.get(state, (state,)):
        api.post(f"/flow_runs/{run}/set_state", json={"state": {"type": one}, "force": True}).raise_for_status()
    return run


def state_of(api: httpx.Client, run: str) -> str:
    return api.get(f"/flow_runs/{run}").json()["state_type"]


def test_an_empty_server_is_furnished_and_then_there_is_nothing_to_mend(server, api):
    home, said = server[0], []
    found = {one.part: one for one in examine_server(home)}
    assert {"pool curation", "pool training", "deployment curate"} <= set(found)
    assert found["pool curation"].remedy == MEND and found["worker curation"].remedy.startswith("clapboard up")
    assert mend_server(home, say=said.append) and "pool curation" in said[-1] and "deployment curate" in said[-1]
    assert not {one.part for one in examine_server(home)} & {"pool curation", "pool training", "deployment curate"}
    assert mend_server(home, say=said.append) and said[-1] == "nothing on the server had to be mended"


def test_runs_whose_worker_is_gone_are_named_and_marked_as_crashed(furnished, api):
    home = furnished
    runs = [
        run_of_a_worker(api, "clapboard-curation-gone-1", state=one) for one in ("RUNNING", "PENDING", "CANCELLING")
    ]
    within = run_of_a_worker(api, "", within=runs[0])
    assert not [one for one in examine_server(home) if one.part.startswith("run ")], "they were heard of a moment ago"
    named = [one for one in examine_server(home, silent_s=0) if one.part.startswith("run ")]
    assert len(named) == 3 and all(one.remedy == MEND and "its worker is gone" in one.found for one in named)
    said: list[str] = []
    assert mend_server(home, silent_s=0, say=said.append) and said[0].startswith("4 runs are marked as crashed")
    assert {state_of(api, one) for one in (*runs, within)} == {"CRASHED"}
    mend_server(home, silent_s=0, say=said.append)
    assert said[1:] == ["nothing on the server had to be mended"]


def test_what_somebody_paused_is_named_and_left(furnished, api):
    home = furnished
    curate = next(one for one in api.post("/deployments/filter", json={}).json() if one["name"] == "curate")
    api.patch("/work_pools/training", json={"is_paused": True}).raise_for_status()
    api.patch(f"/deployments/{curate['id']}", json={"paused": True}).raise_for_status()
    mend_server(home, say=print)
    found = {one.part: one for one in examine_server(home)}
    assert found["pool training"].remedy == "prefect work-pool resume training"
    assert found["deployment curate"].found == "it is paused" and found["deployment curate"].remedy.endswith(
        "/deployments"
    )
    assert found["schedule curate"].remedy == "clapboard up --nightly"
    api.patch("/work_pools/training", json={"is_paused": False})
    api.patch(f"/deployments/{curate['id']}", json={"paused": False})


def test_the_command_says_both(server, api):
    home = server[0]
    done = CliRunner().invoke(app, ["doctor", "--mend", "--json", "--home", str(home.root)])
    parts = {json.loads(line)["part"] for line in done.stdout.splitlines() if line.startswith("{")}
    assert {"worker curation", "worker training", "Prefect server"} <= parts and "had to be mended" in done.output


def test_without_a_server_there_is_nothing_to_say(tmp_path, monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    assert examine_server(Home(tmp_path)) == [] and not mend_server(Home(tmp_path), say=print)
