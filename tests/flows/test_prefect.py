"""On a real Prefect server: every deployment deploys, a cron schedule gets its runs, the queue's state is told.

Two known breaks of the dependencies leave all else green: a FastAPI that kills the server at start, and a SQLAlchemy
with which the scheduler never creates a run. These tests are what notices.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from base64 import b64decode
from copy import deepcopy
from pathlib import Path
from xml.etree import ElementTree

import httpx
import pytest
from prefect import flow
from prefect.events import emit_event

from bench.drawn import drawn_snapshot
from curation.decide.policy import Band
from curation.home.folder import Home
from curation.ledger.tables import ClipRow, SourceEntry, Video
from curation.review.answers import record
from curation.review.progress import progress
from curation.review.queue import enrol
from curation.settings.review import ReviewSettings
from curation.verdicts.answers import Verdict
from flows.artifacts import leave_queue
from flows.events import CLIPS_WAIT, CURATED_TARGET_REACHED, tell_clips_wait, tell_published, tell_target_reached
from flows.operate.by_hand import WORKERS, next_commands
from flows.operate.deployments import put_deployments
from flows.operate.lost import AUTOMATION, SILENT_S, watch_for_silence
from flows.ports import free_port
from flows.server import (
    NOTE,
    client_settings,
    prefect_server,
    running_server,
    send_what_waits,
    start_server,
)
from shards.errors import Unavailable
from tests.operating import api_of, plain
from tests.waiting import until

ROOT = Path(__file__).resolve().parent.parent.parent
NAMES = {"curate", "curate-share", "publish-curated", "pipeline", "study"} | {
    f"train-{what}" for what in ("stage-one", "stage-two", "both-stages")
}
PATIENCE_S = 90
CLAPBOARD = (sys.executable, "-c", "from flows.cli import main; main()")
STAGES = ("stage-one", "stage-two")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A home and its server as a user has them: `clapboard serve`, and in another terminal, which has a profile of its
    own, nothing but the lines that it shows were typed."""
    home = Home(tmp_path_factory.mktemp("server") / "home")
    command = [*CLAPBOARD, "serve", "--port", "0", "--home", str(home.root)]
    soon = {"PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "2"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=plain() | soon) as served:
        try:
            shown = []
            while len(shown) < len(next_commands("")) + len(WORKERS):
                line = served.stdout.readline()
                assert line, "it ended"
                shown += [line.strip()] if line.startswith("    ") else []
            workers = shown[len(next_commands("")) :]
            assert workers == [f"prefect worker start --pool {pool}" for pool in ("curation", "training")]
            script = "set -e\n" + "\n".join(one for one in shown if one not in workers)
            path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
            terminal = plain() | {"HOME": str(home.root / "user"), "PATH": path}
            done = subprocess.run(["sh", "-c", script], cwd=ROOT, env=terminal, capture_output=True, timeout=240)
            assert done.returncode == 0, done.stdout + done.stderr
            yield home, shown[0].partition("=")[2]
        finally:
            served.send_signal(signal.SIGINT)
            served.wait(30)
    assert running_server(home) is None


def test_every_deployment_deploys_and_a_cron_schedule_gets_a_run(server):
    with api_of(server[1]) as api:
        deployments = {one["name"]: one for one in api.post("/deployments/filter", json={}).json()}
        assert set(deployments) == NAMES
        nightly = deployments["curate"]["schedules"][0]
        assert (nightly["slug"], nightly["active"]) == ("nightly", False)
        for name, params in (("curate", "CurateParams"), ("pipeline", "PipelineParams")):
            asked = deployments[name]["parameter_openapi_schema"]["definitions"]
            assert not {"Recipe", "FetchSettings"} & set(asked), "a recipe's hundred settings are one field of the form"
            assert list(asked[params]["properties"])[:3] == ["sources", "preset", "recipe"]

        curate = deployments["curate"]["id"]
        api.patch(f"/deployments/{curate}/schedules/{nightly['id']}", json={"active": True}).raise_for_status()
        deadline = time.monotonic() + PATIENCE_S
        runs: list[dict] = []
        while not runs and time.monotonic() < deadline:
            time.sleep(1)
            runs = api.post("/flow_runs/filter", json={"deployments": {"id": {"any_": [curate]}}}).json()
    assert runs, "the scheduler made no run: see docs/decisions/0001-pins.md"
    assert {run["state_type"] for run in runs} == {"SCHEDULED"}


def test_what_people_changed_stays_when_it_is_deployed_again(server):
    url = server[1]
    with client_settings(url), api_of(url) as api:
        put_deployments(nightly=False, say=print)
        there = {one["name"]: one for one in api.post("/deployments/filter", json={}).json()}
        curate, train = there["curate"]["id"], there["train-stage-one"]["id"]
        (nightly,) = (one for one in there["curate"]["schedules"] if one["slug"] == "nightly")
        own = {"params": {"sources": ["links.csv"]}}
        weekly = {"schedule": {"cron": "0 5 * * 0", "timezone": "Europe/Berlin"}, "active": True, "parameters": own}
        api.patch(f"/deployments/{curate}/schedules/{nightly['id']}", json=weekly).raise_for_status()
        tiny = {"params": {"stage": 1, "settings": {"steps": 4}}}
        often = {
            "schedule": {"interval": 7200, "timezone": "UTC"},
            "active": False,
            "parameters": tiny,
            "slug": "often",
        }
        api.post(f"/deployments/{train}/schedules", json=[often]).raise_for_status()
        changed = {"parameters": {"params": {"stage": 1, "backbone": "drawn"}}, "paused": True}
        api.patch(f"/deployments/{train}", json=changed).raise_for_status()
        wanted = [one for one in api.post("/automations/filter", json={}).json() if "train-stage-two" in one["name"]]
        off = {name: wanted[0][name] for name in ("name", "description", "trigger", "actions", "enabled")}
        on = deepcopy(off) | {"enabled": True}
        on["actions"][0]["parameters"]["params"]["backbone"] = "wan2.2-ti2v-5b"
        api.put(f"/automations/{wanted[0]['id']}", json=on).raise_for_status()

        assert put_deployments(nightly=None, say=print) == len(NAMES)

        there = {one["name"]: one for one in api.post("/deployments/filter", json={}).json()}
        (nightly,) = there["curate"]["schedules"]
        assert nightly["active"] and nightly["slug"] == "nightly"
        assert (nightly["schedule"]["cron"], nightly["schedule"]["timezone"]) == ("0 5 * * 0", "Europe/Berlin")
        assert nightly["parameters"] == own
        (kept,) = there["train-stage-one"]["schedules"]
        assert (kept["parameters"], kept["slug"]) == (tiny, "often")
        assert kept["schedule"]["interval"] == 7200 and not kept["active"]
        assert there["train-stage-one"]["parameters"] == changed["parameters"] and there["train-stage-one"]["paused"]
        (now,) = (one for one in api.post("/automations/filter", json={}).json() if one["name"] == wanted[0]["name"])
        assert now["enabled"] and not wanted[0]["enabled"]
        assert now["actions"] == on["actions"], "it is run with the parameters that somebody gave it"
        # As it was, for the tests that follow.
        api.put(f"/automations/{now['id']}", json=off).raise_for_status()
        api.patch(f"/deployments/{train}", json={"paused": False}).raise_for_status()


BEATING = """
import time
from prefect import flow

@flow
def run():
    print("begun", flush=True)
    time.sleep(300)

run()
"""


def test_a_run_that_sends_no_heartbeat_any_more_is_marked_as_crashed(server):
    """As when a machine is lost: nobody is left who could say that the run has ended."""
    home, url = server
    with client_settings(url):
        watch_for_silence(silent_s=SILENT_S)
        watch_for_silence(silent_s=12)
    named = {"PREFECT_API_URL": url, "PREFECT_HOME": str(home.prefect), "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}
    beats = {"filter": {"event": {"name": ["prefect.flow-run.heartbeat"]}}}
    with api_of(url) as api:
        (made,) = (one for one in api.post("/automations/filter", json={}).json() if one["name"] == AUTOMATION)
        assert made["enabled"] and made["trigger"]["within"] == 12, "it was changed, not made twice"
        command = [sys.executable, "-c", BEATING]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | named) as running:
            assert running.stdout.readline() == "begun\n"
            until(lambda: api.post("/events/filter", json=beats).json()["events"])
            running.kill()
        (event,) = api.post("/events/filter", json=beats).json()["events"]
        run = event["resource"]["prefect.resource.id"].removeprefix("prefect.flow-run.")
        assert api.get(f"/flow_runs/{run}").json()["state_type"] == "RUNNING"
        until(lambda: api.get(f"/flow_runs/{run}").json()["state_type"] == "CRASHED")


def test_a_server_that_runs_for_a_home_is_found(server):
    home, url = server
    assert running_server(home) == url


def test_a_server_that_cannot_start_says_where_to_look(server, tmp_path):
    taken = int(server[1].rpartition(":")[2].removesuffix("/api"))
    with pytest.raises(Unavailable, match="did not start"):
        start_server(Home(tmp_path), port=taken, host="256.0.0.1")


def test_the_documents_say_what_serve_says():
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    header = (ROOT / "prefect.yaml").read_text(encoding="utf-8")
    for command in (*next_commands("http://127.0.0.1:4200/api"), *WORKERS):
        assert f"    {command}" in page
        assert f"#   {command}" in header


class TestTheQueue:
    @pytest.fixture
    def home(self, tmp_path, server):
        """A home that knows the server, in which two clips wait and one accepted clip is wanted."""
        home = Home(tmp_path / "home")
        (home.prefect).mkdir(parents=True)
        shutil.copy(server[0].prefect / NOTE, home.prefect / NOTE)
        with home.ledger() as ledger, ledger.session() as session:
            session.add(Video(id="v", link="https://example.org/v", local=False, path="v.mp4", cuts_us=[]))
            session.flush()
            session.add(
                SourceEntry(
                    id="s", table_name="t", row=0, video_id="v", caption="", label="dog|cat", licence="", outcome="ok",
                    detail="",
                )
            )  # fmt: skip
            session.flush()
            session.add_all([clip("a" * 40), clip("b" * 40)])
        return home

    def test_a_target_that_is_reached_is_one_event(self, home, server, tmp_path, monkeypatch):
        settings = ReviewSettings(per_class=1)
        with home.ledger() as ledger:
            enrol(ledger, settings)
            before = progress(ledger, settings)
            record(ledger, ["a" * 40], Verdict.ACCEPT, reviewer="ada")
            after = progress(ledger, settings)
        assert not tell_target_reached(home, before)
        with client_settings(f"http://127.0.0.1:{free_port()}/api"):
            # Prefect's own way to send events keeps to the first server of a process; this one is gone.
            emit_event("clapboard.elsewhere", {"prefect.resource.id": "clapboard.elsewhere"})
        assert tell_target_reached(home, after)
        send_what_waits()
        assert tell_target_reached(home, after), "from wherever it is told"
        monkeypatch.setenv("CLAPBOARD_LEDGER", home.ledger_url)
        assert tell_target_reached(Home(tmp_path / "another machine"), after)
        (event,) = events(server[1], CURATED_TARGET_REACHED)
        assert event["payload"] == {"enough": "targets_met", "accepted": 1, "rejected": 0, "waiting": 1}
        assert event["resource"]["clapboard.home"] == str(home.root)

    def test_however_many_reasons_there_are_enough_is_one_event_and_one_publication(self, home, server):
        """Until more clips wait: the answers to those are another time."""
        settings = ReviewSettings(per_class=1)
        with home.ledger() as ledger:
            enrol(ledger, settings)
            first = progress(ledger, settings)
            assert tell_clips_wait(home, first, page="http://page/")
            for name in ("a", "b"):
                record(ledger, [name * 40], Verdict.ACCEPT, reviewer="ada")
                assert tell_target_reached(home, progress(ledger, settings)), "targets met, then nothing waits"
            assert not tell_clips_wait(home, progress(ledger, settings), page="http://page/"), "none is new"
            (told,) = events(server[1], CURATED_TARGET_REACHED, home=home)
            assert told["payload"]["enough"] == "targets_met"
            with ledger.session() as session:
                session.get_one(SourceEntry, "s").label = "cat"
                session.add(clip("c" * 40))
            enrol(ledger, ReviewSettings(per_class=9))
            more = progress(ledger, ReviewSettings(per_class=9))
            assert not tell_target_reached(home, more) and tell_clips_wait(home, more, page="http://page/")
            record(ledger, ["c" * 40], Verdict.ACCEPT, reviewer="ada")
            assert tell_target_reached(home, progress(ledger, ReviewSettings(per_class=9)))
        until(lambda: len(events(server[1], CURATED_TARGET_REACHED, home=home)) == 2)
        waited = [one["payload"]["fresh"] for one in events(server[1], CLIPS_WAIT, home=home)]
        assert sorted(waited) == [1, 2]
        until(lambda: len(runs_of(server[1], "publish-curated", home)) == 2)

    def test_the_review_page_tells_it_when_the_last_answer_comes(self, home, server):
        (home.root / "recipe.yaml").write_text("review: {per_class: 1, double_share: 0}\n")
        command = [sys.executable, "-c", "from flows.cli import main; main()", "review", "serve", "--port", "0"]
        command += ["--home", str(home.root), "--recipe", str(home.root / "recipe.yaml"), "--reviewer", "ada"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as page:
            try:
                accept(page.stdout.readline().split()[1], "a", "b")
            finally:
                page.send_signal(signal.SIGINT)
        (event,) = events(server[1], CURATED_TARGET_REACHED, home=home)
        assert event["payload"]["accepted"] == 1

    def test_enough_answers_start_a_publication_and_that_starts_stage_two(self, home, server):
        """The automations of prefect.yaml make runs of what Clapboard tells; no worker is there to run them."""
        with api_of(server[1]) as api:
            (waiting,) = (one for one in api.post("/automations/filter", json={}).json() if not one["enabled"])
            assert waiting["name"].startswith("train-stage-two")
            api.patch(f"/automations/{waiting['id']}", json={"enabled": True}).raise_for_status()
        settings = ReviewSettings(per_class=1)
        with home.ledger() as ledger:
            enrol(ledger, settings)
            record(ledger, ["b" * 40], Verdict.ACCEPT, reviewer="ada")
            assert tell_target_reached(home, progress(ledger, settings))
        assert tell_published(home, "curated/v7", clips=1)
        published, trained = (triggered(server[1], name, home) for name in ("publish-curated", "train-stage-two"))
        assert published == {"home": str(home.root)}
        assert trained == {"home": str(home.root), "stage": 2, "snapshot": "curated/v7"}

    def test_without_a_server_nothing_is_told_and_nothing_fails(self, home):
        (home.prefect / NOTE).unlink()
        with home.ledger() as ledger:
            record(ledger, ["a" * 40, "b" * 40], Verdict.ACCEPT, reviewer="ada")
            assert not tell_target_reached(home, progress(ledger, ReviewSettings()))

    def test_a_run_leads_to_its_page_and_says_how_far_the_queue_is(self, home, server):
        @flow
        def run():
            with home.ledger() as ledger:
                leave_queue(progress(ledger, ReviewSettings()), home=home.root, page="https://review.example.org/")

        with home.ledger() as ledger:
            enrol(ledger, ReviewSettings())
        with prefect_server(home):
            run()
            send_what_waits()
        with api_of(server[1]) as api:
            there = api.post("/artifacts/filter", json={}).json()
        left = {one["key"]: one["data"] for one in there}
        told = {one["key"]: one["description"] for one in there}
        assert told["review-page"] == told["review-queue"] == "2 clips wait for a person, 0 are accepted, 0 rejected."
        assert left["review-page"] == "[Review 2 clips](https://review.example.org/)"
        assert "**2** clips wait for a person" in left["review-queue"]
        assert "| dog\\|cat | 0 | all | 0 | 2 |" in left["review-queue"]
        assert f"clapboard review serve --home {home.root}" in left["review-queue"]


class TestTraining:
    @pytest.fixture(scope="class")
    def home(self, tmp_path_factory, server):
        """A home that knows the server, with an automatic and a curated snapshot of drawn films."""
        home = Home(tmp_path_factory.mktemp("training"))
        home.prefect.mkdir(parents=True)
        shutil.copy(server[0].prefect / NOTE, home.prefect / NOTE)
        for name, films, seed in (("auto", 6, 0), ("curated", 3, 100)):
            drawn_snapshot(home.snapshots, name, films=films, seconds=2.5, seed=seed)
        return home

    def command(self, home: Home, *arguments: str) -> list[str]:
        quick = {"batch": 2, "probe_clips": 2, "held_out": 0.3, "log_every": 1, "device": "cpu"}
        settings = [word for name, value in quick.items() for word in ("--set", f"{name}={value}")]
        return [*CLAPBOARD, "train", "--home", str(home.root), *arguments, *settings]

    def test_both_stages_are_one_command_and_leave_their_curves(self, home, server):
        asked = self.command(home, "--set", "one.steps=4", "--set", "two.steps=2", "--set", "probe_every=2")
        done = subprocess.run(asked, capture_output=True, text=True, timeout=280)
        assert done.returncode == 0, done.stderr
        assert "stage 1 on auto/v1: 4 steps" in done.stdout and "stage 2 on curated/v1: 2 steps" in done.stdout
        one, two = (home.training / stage / (home.training / stage / "newest").read_text() for stage in STAGES)
        notes = json.loads((two / "adapter" / "adapter.json").read_text())["notes"]
        assert notes["parent"] == one.name
        with api_of(server[1]) as api:
            left = {one["key"]: one["data"] for one in api.post("/artifacts/filter", json={}).json()}
        for stage in (1, 2):
            kind, _, data = left[f"curves-stage-{stage}"].partition(",")
            picture = ElementTree.fromstring(b64decode(data))
            assert kind == "data:image/svg+xml;base64" and len(picture.findall(".//{*}polyline")) >= 2

    def test_sigterm_saves_and_is_no_failure(self, home):
        asked = self.command(home, "--stage", "1", "--set", "steps=20000")
        with subprocess.Popen(asked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:
            log = metrics_of_an_unfinished_run(home)
            running.send_signal(signal.SIGTERM)
            said = running.communicate(timeout=120)[0]
        assert running.returncode == 0 and "stopped; the same command goes on" in said
        assert list((log.parent / "checkpoints").iterdir()) and not (log.parent / "result.json").exists()


def clip(name: str) -> ClipRow:
    return ClipRow(
        id=name, video_id="v", source_id="s", start_us=0, end_us=3_000_000, band=Band.REVIEW,
        policy="p", reasons=[], p_good=0.5, audit=False, scores={}, current=True, cut=None,
    )  # fmt: skip


def metrics_of_an_unfinished_run(home: Home) -> Path:
    """Its log, once it has one."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        for log in home.training.glob("stage-one/*/metrics.jsonl"):
            if log.stat().st_size and not (log.parent / "result.json").exists():
                return log
        time.sleep(0.1)
    raise AssertionError("no run began")


def events(url: str, name: str, *, home: Home | None = None) -> list[dict]:
    """The events of a name that the server has, once it has one: they are written behind."""
    wanted = {"filter": {"event": {"name": [name]}, "occurred": {"since": "2020-01-01T00:00:00Z"}}}
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with api_of(url) as api:
            found = api.post("/events/filter", json=wanted).json()["events"]
        of_home = [one for one in found if home is None or one["resource"]["clapboard.home"] == str(home.root)]
        if of_home:
            return of_home
        time.sleep(0.5)
    return []


def triggered(url: str, deployment: str, home: Home) -> dict | None:
    """The parameters of the run of a deployment that an event about the home made, once there is one."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        for params in runs_of(url, deployment, home):
            return params
        time.sleep(0.5)
    return None


def runs_of(url: str, deployment: str, home: Home) -> list[dict]:
    """The parameters of the runs of a deployment for a home."""
    with api_of(url) as api:
        wanted = {"deployments": {"name": {"any_": [deployment]}}}
        runs = api.post("/flow_runs/filter", json=wanted).json()
    params = [run["parameters"].get("params", {}) for run in runs]
    return [one for one in params if one.get("home") == str(home.root)]


def accept(address: str, *names: str) -> None:
    """What the page of a browser does for some answers."""
    with httpx.Client(base_url=address.partition("/enter")[0], follow_redirects=True) as browser:
        token = re.search(r'form-token" content="([^"]+)"', browser.get(address).text)[1]
        headers = {"X-Clapboard-Token": token, "Sec-Fetch-Site": "same-origin"}
        for name in names:
            answer = {"clip_id": name * 40, "verdict": "accept", "key": str(uuid.uuid4())}
            browser.post("/api/answers", json=answer, headers=headers).raise_for_status()
