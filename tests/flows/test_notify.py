"""People are told, through a real server, of what fails and of what waits; where it goes is known to nobody else."""

import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import httpx
import pytest
from typer.testing import CliRunner

from curation.decide.calibrate import Interval
from curation.home.folder import Home
from curation.review.progress import Enough, Progress
from flows.cli.app import app
from flows.events import tell_clips_wait
from flows.operate.notify import Occasion, channels, watch_for_people
from flows.ports import free_port
from flows.server import client_settings
from shards.errors import ClapboardError
from tests.operating import CLAPBOARD, api_of, plain
from tests.waiting import until

pytestmark = pytest.mark.slow
SECRET = "k3y-that-opens"


@pytest.fixture
def home(tmp_path, api_url) -> Home:
    """A home whose server is the one that runs."""
    return Home(tmp_path / "home")


@pytest.fixture
def receiver():
    """A server that takes messages; its address, and what came."""
    came: list[dict] = []

    class Taker(BaseHTTPRequestHandler):
        def do_POST(self):
            came.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))) | {"path": self.path})
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Taker) as taker:
        threading.Thread(target=taker.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{taker.server_address[1]}/{SECRET}", came
        taker.shutdown()


class Done(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    said: str
    complained: str


def notify(home: Home, *arguments: str, told: str = "") -> Done:
    done = CliRunner().invoke(app, ["notify", *arguments, "--home", str(home.root)], input=told)
    if isinstance(error := done.exception, ClapboardError):
        return Done(error.exit_code, done.stdout, f"{done.stderr}{error.message} {error.remedy}")
    return Done(done.exit_code, done.stdout, done.stderr)


def failed_run(api: httpx.Client, *, state: str) -> str:
    curate = next(one for one in api.post("/deployments/filter", json={}).json() if one["name"] == "curate")
    run = api.post(f"/deployments/{curate['id']}/create_flow_run", json={}).json()
    for one in ({"type": "RUNNING"}, {"type": state, "message": "the disk is full"}):
        api.post(f"/flow_runs/{run['id']}/set_state", json={"state": one, "force": True}).raise_for_status()
    return run["name"]


def queue(waiting: int) -> Progress:
    return Progress(waiting, 0, 0, 0, (), Interval(0.0, 0.0, 1.0), None if waiting else Enough.NOTHING_WAITS, 0)


def test_a_channel_is_told_once_of_each_and_its_address_is_shown_nowhere(home, running, receiver):
    url, (address, came) = running.url, receiver
    added = notify(home, "add", "webhook", "-", told=f"{address}\n")
    assert added.code == 0, added.complained
    tested = notify(home, "test", "webhook")
    assert tested.code == 0 and came.pop()["subject"] == "Clapboard", tested.complained
    with client_settings(url):
        watch_for_people()
        watch_for_people()
        with api_of(url) as api:
            made = [one for one in api.post("/automations/filter", json={}).json() if "tell webhook" in one["name"]]
            assert len(made) == len(Occasion)
            names = {failed_run(api, state="FAILED"), failed_run(api, state="CRASHED")}
    until(lambda: len(came) == 2)
    assert all("the disk is full" in one["text"] and "curate" in one["subject"] for one in came)
    assert {name for name in names for one in came if name in one["text"]} == names
    assert all(one["path"] == f"/{SECRET}" and "/runs/flow-run/" in one["text"] for one in came), came
    came.clear()
    assert tell_clips_wait(home, queue(3), page="http://review.example.org/")
    assert not tell_clips_wait(home, queue(2), page="http://review.example.org/")
    until(lambda: came)
    assert (
        came[0]["subject"] == "Clapboard: 3 clips wait for a person" and "http://review.example.org/" in came[0]["text"]
    )
    listed = notify(home, "list", "--json")
    assert json.loads(listed.said)["occasions"] == {one.value: True for one in Occasion}
    words = "".join(one.said + one.complained for one in (added, tested, listed))
    database = b"".join(one.read_bytes() for one in running.home.prefect.glob("prefect.db*"))
    logs = "".join(one.read_text(errors="replace") for one in running.home.prefect.glob("*.log"))
    assert SECRET not in words + logs and database and SECRET.encode() not in database
    assert notify(home, "remove", "webhook").code == 0


def test_what_somebody_switched_off_stays_off_and_what_is_removed_is_gone(home, api_url, receiver):
    address, _ = receiver
    assert notify(home, "add", "webhook", address, "--name", "ops").code == 0
    with client_settings(api_url), api_of(api_url) as api:
        ours = [one for one in api.post("/automations/filter", json={}).json() if "tell ops" in one["name"]]
        api.patch(f"/automations/{ours[0]['id']}", json={"enabled": False}).raise_for_status()
        watch_for_people()
        (known,) = (one for one in channels() if one.name == "ops")
        assert sorted(known.occasions.values()) == [False, True]
        assert notify(home, "remove", "ops").code == 0
        assert "ops" not in {one.name for one in channels()}
        assert not [one for one in api.post("/automations/filter", json={}).json() if "tell ops" in one["name"]]
    gone = notify(home, "remove", "ops")
    assert gone.code == 2 and "clapboard notify list" in gone.complained


@pytest.mark.parametrize(
    ("kind", "address"),
    [("slack", f"https://example.org/{SECRET}"), ("mail", f"https://example.org/{SECRET}"), ("webhook", SECRET)],
)
def test_an_address_of_another_kind_is_refused_and_not_quoted(home, kind, address):
    refused = notify(home, "add", kind, address)
    assert refused.code == 2 and f"no address of {kind}" in refused.complained and SECRET not in refused.complained


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("slack", "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"),
        ("mail", "mailtos://ada:secret@smtp.example.org?from=clapboard@example.org&to=ada@example.org"),
    ],
)
def test_slack_and_mail_are_kept(home, kind, address):
    assert notify(home, "add", kind, "-", told=address).code == 0
    assert kind in notify(home, "list").said
    assert notify(home, "remove", kind).code == 0


def test_without_a_server_it_says_how_to_have_one(tmp_path):
    command = [*CLAPBOARD, "notify", "list", "--home", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=plain(), check=False)
    assert done.returncode == 3 and "clapboard up" in done.stderr


def test_a_receiver_that_does_not_answer_is_a_sentence_without_its_address(home):
    assert notify(home, "add", "webhook", f"http://127.0.0.1:{free_port()}/{SECRET}", "--name", "dead").code == 0
    tested = notify(home, "test", "dead")
    assert tested.code == 3 and "could not be sent" in tested.complained and SECRET not in tested.complained
    assert notify(home, "remove", "dead").code == 0
