"""A running `clapboard up`, its processes and its server, as an operator sees them; a helper of the tests."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from curation.home.folder import Home
from flows.server import free_port
from tests.waiting import alive, command_line, until

CLAPBOARD = (sys.executable, "-m", "flows.cli")
MARK = "CLAPBOARD_TEST_MARK"
SOON = {
    "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "3",
    "PREFECT_SERVER_SERVICES_SCHEDULER_MIN_RUNS": "2",
    "PREFECT_SERVER_SERVICES_SCHEDULER_MIN_SCHEDULED_TIME": "PT1M",
    "PREFECT_WORKER_QUERY_SECONDS": "1",
}
"""With these in the environment of a server and its workers, a night is a minute, and what is asked for begins."""


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


class Patient(httpx.HTTPTransport):
    """Asks a server again that is busy, or whose database is, as Prefect's own client does."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        for wait_s in (0.5, 1, 2, 4, 8):
            answer = super().handle_request(request)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                return answer
            answer.close()
            time.sleep(wait_s)
        return super().handle_request(request)


def api_of(url: str) -> httpx.Client:
    """A client of a Prefect server."""
    return httpx.Client(base_url=url, transport=Patient(verify=False, retries=3), timeout=30)


def asked(url: str, path: str, **body: object) -> Any:
    """What a server answers to a POST."""
    with api_of(url) as api:
        return api.post(path, json=body).raise_for_status().json()


class Running(NamedTuple):
    """A running `clapboard up`.

    Attributes:
        home: whose server it is.
        process: of the command.
        url: of its server's API.
        mark: what all that it started bears in its environment.
    """

    home: Home
    process: subprocess.Popen[str]
    url: str
    mark: str


@contextmanager
def up(home: Home, *arguments: str, said: str = "review page: open http", **more: str) -> Iterator[Running]:
    """A running `clapboard up` that has said all it says at its start; `more` is added to its environment."""
    mark, port = home.root.name + str(time.monotonic_ns()), free_port()
    command = [*CLAPBOARD, "up", "--home", str(home.root), "--port", str(port), "--review-port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=plain() | {MARK: mark} | more) as running:
        try:
            for line in running.stdout:
                if line.startswith(said):
                    break
            else:
                raise AssertionError("it ended")
            yield Running(home, running, f"http://127.0.0.1:{port}/api", mark)
        finally:
            running.kill()
            until(lambda: not marked(mark), within_s=30)


def deployments(url: str) -> dict[str, dict]:
    return {one["name"]: one for one in asked(url, "/deployments/filter")}


def flow_run(url: str, run: str) -> dict:
    with api_of(url) as api:
        return api.get(f"/flow_runs/{run}").raise_for_status().json()


def begun(url: str, link: str, deployment: str = "curate") -> str:
    """The id of a run that is in the middle: it, or one within it, curates a link that is never answered."""
    run = started(url, deployment, {"sources": [link], "recipe": {"fetch": {"allow_loopback": True}}})
    until(lambda: flow_run(url, run)["state_type"] == "RUNNING", within_s=90)
    return run


def started(url: str, deployment: str, params: dict[str, object]) -> str:
    """The id of a run of a deployment that was just asked for."""
    place = f"/deployments/{deployments(url)[deployment]['id']}/create_flow_run"
    return asked(url, place, parameters={"params": params})["id"]


def running_runs(url: str) -> list[dict]:
    return asked(url, "/flow_runs/filter", flow_runs={"state": {"type": {"any_": ["RUNNING"]}}})


def programs(mark: str, word: str) -> set[int]:
    """The processes of a mark whose command holds a word, without those that only hold a leash."""
    found = set()
    for pid in marked(mark):
        words = command_line(pid).replace(b"\0", b" ").decode()
        if word in words and "leash.py" not in words:
            found.add(pid)
    return found
