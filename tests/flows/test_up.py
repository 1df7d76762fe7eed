"""`clapboard up` as an operator has it: real server, workers and signals; nothing survives or stays Running.

One home for all and one `up` for much of it, since a server takes seconds to start.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from curation.home.folder import Home
from flows.operate.hold import holders
from flows.operate.lost import AUTOMATION
from flows.operate.parts import Part
from flows.server import free_port
from tests.waiting import alive, until

ROOT = Path(__file__).resolve().parent.parent.parent

CLAPBOARD = (sys.executable, "-m", "flows.cli")
MARK = "CLAPBOARD_TEST_MARK"


def plain() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}


def clapboard(home: Home, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*CLAPBOARD, *arguments, "--home", str(home.root)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=plain())


def marked(mark: str) -> set[int]:
    """The running processes that have a mark in their environment: whatever descends from whoever was given it."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() in (entry / "environ").read_bytes() and alive(int(entry.name)):
                found.add(int(entry.name))
        except OSError:
            continue
    return found


@contextmanager
def up(home: Home, *arguments: str):
    """A running `clapboard up` that has said all it says at its start, the port of its server, and its mark."""
    mark, port = home.root.name + str(time.monotonic_ns()), free_port()
    command = [*CLAPBOARD, "up", "--home", str(home.root), "--port", str(port), "--review-port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=plain() | {MARK: mark}) as running:
        try:
            for line in running.stdout:
                if line.startswith("review page: open http"):
                    break
            else:
                raise AssertionError("it ended")
            yield running, f"http://127.0.0.1:{port}/api", mark
        finally:
            running.kill()
            until(lambda: not marked(mark), within_s=30)


def deployments(url: str) -> dict[str, dict]:
    return {one["name"]: one for one in httpx.post(f"{url}/deployments/filter", json={}).json()}


def flow_run(url: str, run: str) -> dict:
    return httpx.get(f"{url}/flow_runs/{run}").json()


def begun(url: str, link: str, deployment: str = "curate") -> str:
    """The id of a run that is in the middle: it, or one within it, curates a link that is never answered."""
    params = {"sources": [link], "recipe": {"fetch": {"allow_loopback": True}}}
    where = f"{url}/deployments/{deployments(url)[deployment]['id']}/create_flow_run"
    run = httpx.post(where, json={"parameters": {"params": params}}).json()["id"]
    until(lambda: flow_run(url, run)["state_type"] == "RUNNING", within_s=90)
    return run


def running_runs(url: str) -> list[dict]:
    wanted = {"flow_runs": {"state": {"type": {"any_": ["RUNNING"]}}}}
    return httpx.post(f"{url}/flow_runs/filter", json=wanted).json()


def programs(mark: str, word: str) -> set[int]:
    """The processes of a mark whose command holds a word, without those that only hold a leash."""
    found = set()
    for pid in marked(mark):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if word in command and "leash.py" not in command:
            found.add(pid)
    return found


@pytest.fixture(scope="module")
def silence():
    """A link to a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield f"http://127.0.0.1:{silent.getsockname()[1]}/film.mp4"


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Home:
    return Home(tmp_path_factory.mktemp("up") / "home")


@pytest.mark.slow
def test_it_runs_all_mends_what_dies_and_leaves_nothing(home, silence):
    with up(home, "--nightly") as (running, url, mark):
        there = deployments(url)
        listed = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
        assert set(there) == {one["name"] for one in listed} and there["curate"]["schedules"][0]["active"]
        automations = [one["name"] for one in httpx.post(f"{url}/automations/filter", json={}).json()]
        assert automations.count(AUTOMATION) == 1

        second = clapboard(home, "up", "--port", "0")
        assert (
            second.returncode == 1 and f"process {running.pid}" in second.stderr and "clapboard down" in second.stderr
        )

        # The worker is killed in the middle of a run: both are set right, and nobody has to be asked.
        run = begun(url, silence)
        (worker,) = programs(mark, "--pool curation")
        os.kill(worker, signal.SIGKILL)
        until(lambda: flow_run(url, run)["state_type"] == "CRASHED", within_s=30)
        assert "its process ended with its worker" in flow_run(url, run)["state"]["message"]
        until(lambda: programs(mark, "--pool curation") - {worker}, within_s=30)

        looked = clapboard(home, "status", "--json", "--check")
        found = json.loads(looked.stdout)
        assert looked.returncode == 1 and found["troubles"][-1].startswith("the last run of curate: Crashed")
        assert {one["part"] for one in found["parts"] if one["pid"] == running.pid} == set(Part)
        (curate,) = (one for one in found["deployments"] if one["name"] == "curate")
        assert curate["last"].startswith("Crashed: its process ended") and curate["schedules"][0]["active"]

        # Then all is stopped in the middle of a run, as systemd and docker do it.
        run = begun(url, silence)
        start = time.monotonic()
        running.send_signal(signal.SIGTERM)
        assert running.wait(30) == 0
        assert time.monotonic() - start < 15, "ten seconds, on a machine that has nothing else to do"
        assert not marked(mark) and not holders(home)
    assert "nothing runs" in clapboard(home, "down").stdout


@pytest.mark.slow
def test_what_was_killed_is_set_right_by_the_next_and_what_people_changed_stays(home, silence):
    with up(home, "--nightly") as (running, url, mark):
        assert not running_runs(url), "what was stopped in the middle before is not Running for ever"
        curate = deployments(url)["curate"]
        changed = {"params": {"sources": [], "retry": True}}
        httpx.patch(f"{url}/deployments/{curate['id']}", json={"parameters": changed}).raise_for_status()
        run = begun(url, silence, "pipeline")
        until(lambda: len(running_runs(url)) == 2, within_s=60)
        running.kill()
        until(lambda: not marked(mark), within_s=15)
    with up(home, "--no-nightly") as (running, url, mark):
        assert flow_run(url, run)["state_type"] == "CRASHED" and not running_runs(url), "nor is the run within it"
        curate = deployments(url)["curate"]
        assert curate["parameters"] == changed and not curate["schedules"][0]["active"]
        said = clapboard(home, "down")
        assert said.returncode == 0 and "curation: down" in said.stdout, said.stderr
        assert running.wait(10) == 0 and not marked(mark)
