"""`clapboard up` as an operator has it: real server, workers and signals; nothing survives or stays Running.

Two starts for all of it, since a server takes half a minute of processor time to start.
"""

import json
import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest
import yaml

from curation.home.folder import Home
from flows.operate.hold import holders
from flows.operate.lost import AUTOMATION
from flows.operate.parts import Part
from tests.operating import api_of, asked, begun, clapboard, deployments, flow_run, marked, programs, running_runs, up
from tests.waiting import until

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Home:
    return Home(tmp_path_factory.mktemp("up") / "home")


@pytest.mark.slow
def test_it_runs_all_mends_what_dies_and_keeps_what_people_changed(home, silence):
    with up(home, "--nightly") as running:
        there = deployments(running.url)
        listed = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
        assert set(there) == {one["name"] for one in listed} and there["curate"]["schedules"][0]["active"]
        automations = [one["name"] for one in asked(running.url, "/automations/filter")]
        assert automations.count(AUTOMATION) == 1

        second = clapboard(home, "up", "--port", "0")
        assert second.returncode == 1 and "clapboard down" in second.stderr
        assert f"process {running.process.pid}" in second.stderr

        # The worker is killed in the middle of a run: both are set right, and nobody has to be asked.
        run = begun(running.url, silence)
        (worker,) = programs(running.mark, "--pool curation")
        os.kill(worker, signal.SIGKILL)
        until(lambda: flow_run(running.url, run)["state_type"] == "CRASHED", within_s=30)
        assert "its process ended with its worker" in flow_run(running.url, run)["state"]["message"]
        until(lambda: programs(running.mark, "--pool curation") - {worker}, within_s=30)

        looked = clapboard(home, "status", "--json", "--check")
        found = json.loads(looked.stdout)
        assert looked.returncode == 1 and found["troubles"][-1].startswith("the last run of curate: Crashed")
        assert {one["part"] for one in found["parts"] if one["pid"] == running.process.pid} == set(Part)
        (curate,) = (one for one in found["deployments"] if one["name"] == "curate")
        assert curate["last"].startswith("Crashed: its process ended") and curate["schedules"][0]["active"]

        # Then all is killed at once in the middle of a run that is within another.
        changed = {"params": {"sources": [], "retry": True}}
        with api_of(running.url) as api:
            api.patch(f"/deployments/{there['curate']['id']}", json={"parameters": changed}).raise_for_status()
        run = begun(running.url, silence, "pipeline")
        until(lambda: len(running_runs(running.url)) == 2, within_s=60)
        running.process.kill()
        until(lambda: not marked(running.mark), within_s=15)

    with up(home, "--no-nightly") as running:
        assert flow_run(running.url, run)["state_type"] == "CRASHED"
        assert not running_runs(running.url), "nor is the run within it Running for ever"
        curate = deployments(running.url)["curate"]
        assert curate["parameters"] == changed and not curate["schedules"][0]["active"]

        # Last, all is stopped in the middle of a run, as systemd and docker do it.
        begun(running.url, silence)
        start = time.monotonic()
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(30) == 0
        assert time.monotonic() - start < 15, "ten seconds, on a machine that has nothing else to do"
        assert not marked(running.mark) and not holders(home)
    with sqlite3.connect(home.prefect / "prefect.db") as kept:
        states = {state for (state,) in kept.execute("SELECT state_type FROM flow_run")}
    assert not states & {"RUNNING", "PENDING", "CANCELLING"}
    assert "nothing runs" in clapboard(home, "down").stdout
