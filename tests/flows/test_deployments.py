"""On a real Prefect server: every deployment deploys, and a cron schedule gets its runs.

Two known breaks of the dependencies leave all else green: a FastAPI that kills the server at start, and a SQLAlchemy
with which the scheduler never creates a run. These tests are what notices.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from curation.home import Home
from flows.server import free_port, running_server, start_server, stop_server
from shards.errors import Unavailable

ROOT = Path(__file__).resolve().parent.parent.parent
NAMES = {"curate", "publish-curated", "train-stage-one", "train-stage-two", "pipeline"}
PATIENCE_S = 90


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("server"))
    patch = pytest.MonkeyPatch()
    patch.setenv("PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS", "2")
    process, url = start_server(home, port=free_port())
    yield home, url
    stop_server(process, home)
    patch.undo()
    assert process.poll() is not None
    assert running_server(home) is None


def prefect(home: Home, url: str, *arguments: str) -> str:
    environment = os.environ | {"PREFECT_API_URL": url, "PREFECT_HOME": str(home.prefect)}
    command = [sys.executable, "-m", "prefect", "--no-prompt", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_deployment_deploys_and_a_cron_schedule_gets_a_run(server):
    home, url = server
    for pool in ("curation", "training"):
        prefect(home, url, "work-pool", "create", pool, "--type", "process")
    prefect(home, url, "deploy", "--all")
    with httpx.Client(base_url=url) as api:
        deployments = {one["name"]: one for one in api.post("/deployments/filter", json={}).json()}
        assert set(deployments) == NAMES
        nightly = deployments["curate"]["schedules"][0]
        assert (nightly["slug"], nightly["active"]) == ("nightly", False)
        schema = deployments["curate"]["parameter_openapi_schema"]
        assert "Recipe" in schema["definitions"], "the UI draws its form from the recipe's model"

        curate = deployments["curate"]["id"]
        api.patch(f"/deployments/{curate}/schedules/{nightly['id']}", json={"active": True}).raise_for_status()
        deadline = time.monotonic() + PATIENCE_S
        runs: list[dict] = []
        while not runs and time.monotonic() < deadline:
            time.sleep(1)
            runs = api.post("/flow_runs/filter", json={"deployments": {"id": {"any_": [curate]}}}).json()
    assert runs, "the scheduler made no run: see docs/decisions/0001-pins.md"
    assert {run["state_type"] for run in runs} == {"SCHEDULED"}


def test_a_server_that_runs_for_a_home_is_found(server):
    home, url = server
    assert running_server(home) == url


def test_a_server_that_cannot_start_says_where_to_look(server, tmp_path):
    taken = int(server[1].rpartition(":")[2].removesuffix("/api"))
    with pytest.raises(Unavailable, match="did not start"):
        start_server(Home(tmp_path), port=taken, host="256.0.0.1")
