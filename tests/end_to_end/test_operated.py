"""Clapboard as it is operated: one server, two curation machines, PostgreSQL, an object store, a browser.

Standing sources, a schedule that fires, a worker killed at its work, clips reviewed by keyboard, a publication and a
training that nobody starts by hand, and an animation from what was trained; then nothing is left running.
"""

import json
import os
import signal
import sqlite3
import subprocess
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import yaml
from PIL import Image
from scipy.io import wavfile
from sqlalchemy import func, select, text

from bench.postgres import binaries, postgres_server
from curation.decide.policy import Band
from curation.home.folder import Home
from curation.ledger.tables import ClipRow, ReviewRow, ScoreRow, SnapshotRow, SourceEntry, VerdictRow, Video, WindowRow
from flows.server import free_port
from shards.files import sha256_of
from shards.snapshot import open_snapshot
from shards.verifying import verify
from tests.browsing import Desk, chromium  # noqa: F401 (a fixture)
from tests.operating import CLAPBOARD, MARK, SOON, api_of, clapboard, marked, plain, programs
from tests.waiting import until
from training.adapter.files import WEIGHTS
from training.world import FilmSpec, draw, write_film

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(900)]

EACH = 5
"""Good films of a class; one more has another scene's sound, which a careful system asks about."""

SCENES = {"ringing_bell": ("chopping_wood", 7208), "chopping_wood": ("playing_drum", 7209)}
"""Each class with the sound that its wrong film has, and that film's seed."""

FILM_S, WINDOWS = 5.0, 5
RECIPE = {
    # All that is accepted unseen is asked about too, so that there is something of each class to find.
    "review": {"audit_share": 1.0, "double_share": 0, "golden_mix": 0, "targets": dict.fromkeys(SCENES, 3)},
}
ON_TOP = {"publish": {"clips_per_shard": 4}}
"""What the schedule has of its own."""

EVERY_S = 30
TINY = {"steps": 4, "batch": 4, "probe_clips": 2, "windows": {"per_clip": 1}, "device": "cpu"}
SOUND_S = 2.0
OPEN = ("PENDING", "RUNNING", "CANCELLING")


class Server:
    """The Prefect server as an operator sees it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._api = api_of(url)

    def _ask(self, method: str, path: str, **body: object) -> Any:
        answer = self._api.request(method, path, **body).raise_for_status()
        return answer.json() if answer.content else None

    def deployment(self, name: str) -> str:
        found = {one["name"]: one["id"] for one in self._ask("POST", "deployments/filter", json={})}
        return found[name]

    def workers(self, pool: str) -> int:
        found = self._ask("POST", f"work_pools/{pool}/workers/filter", json={})
        return sum(one["status"] == "ONLINE" for one in found)

    def schedule(self, deployment: str, params: dict) -> None:
        """A new schedule that begins in a moment."""
        first = datetime.now(UTC) + timedelta(seconds=5)
        schedule = {"interval": EVERY_S, "anchor_date": first.isoformat()}
        one = {"schedule": schedule, "active": True, "parameters": {"params": params}, "slug": "soon"}
        self._ask("POST", f"deployments/{self.deployment(deployment)}/schedules", json=[one])

    def unschedule(self, deployment: str) -> None:
        place = f"deployments/{self.deployment(deployment)}/schedules"
        (soon,) = (one for one in self._ask("GET", place) if one["slug"] == "soon")
        self._ask("PATCH", f"{place}/{soon['id']}", json={"active": False})

    def start(self, deployment: str, params: dict) -> None:
        place = f"deployments/{self.deployment(deployment)}/create_flow_run"
        self._ask("POST", place, json={"parameters": {"params": params}})

    def runs(self, deployment: str) -> list[dict]:
        """Those of a deployment that have begun, in that order."""
        wanted = {"deployments": {"name": {"any_": [deployment]}}, "limit": 200}
        found = self._ask("POST", "flow_runs/filter", json=wanted)
        return sorted((one for one in found if one["start_time"]), key=lambda one: one["start_time"])

    def ended(self, deployment: str, count: int = 1, *, within_s: float = 300) -> dict:
        """Wait until so many runs of a deployment were completed; the last of those."""
        until(lambda: len(self._completed(deployment)) >= count, within_s=within_s)
        return self._completed(deployment)[count - 1]

    def _completed(self, deployment: str) -> list[dict]:
        runs = self.runs(deployment)
        failed = [one["state"]["message"] for one in runs if one["state_type"] == "FAILED"]
        assert not failed, failed
        return [one for one in runs if one["state_type"] == "COMPLETED"]

    def switch_on_stage_two(self, settings: dict) -> None:
        """What `prefect.yaml` tells people to do once stage one was trained, with settings of their own."""
        ours = [one for one in self._ask("POST", "automations/filter", json={}) if "train-stage-two" in one["name"]]
        (one,) = ours
        assert not one["enabled"], "it is off until somebody wants it"
        (action,) = one["actions"]
        action["parameters"]["params"]["settings"] = settings
        changed = {name: one[name] for name in ("name", "description", "trigger", "actions")} | {"enabled": True}
        self._ask("PUT", f"automations/{one['id']}", json=changed)

    def events(self, name: str) -> list[dict]:
        wanted = {"filter": {"event": {"name": [name]}}, "limit": 50}
        return self._ask("POST", "events/filter", json=wanted)["events"]


@contextmanager
def up(home: Home, mark: str, *arguments: str, until_said: str, **more: str):
    """A running `clapboard up`, and the line that it said; all it starts bears the mark and its home's name."""
    mark = f"{mark}-{home.root.name}"
    command = [*CLAPBOARD, "up", "--home", str(home.root), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=plain() | {MARK: mark} | more) as running:
        try:
            line = next((line for line in running.stdout if line.startswith(until_said)), None)
            assert line, "it ended"
            yield running, line
        finally:
            running.kill()
            until(lambda: not marked(mark), within_s=30)


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> Path:
    """A folder of films, a folder a class."""
    root = tmp_path_factory.mktemp("films")
    for scene, (other, seed) in SCENES.items():
        (root / scene).mkdir()
        for take in range(EACH):
            _draw(root / scene / f"good-{take}.mp4", scene, seed + 100 + take)
        _draw(root / scene / "swapped.mp4", scene, seed, sound_scene=other)
    return root


def _draw(path: Path, scene: str, seed: int, **more: str) -> None:
    spec = FilmSpec(scene=scene, seed=seed, duration_s=FILM_S, width_px=160, height_px=160, **more)
    write_film(draw(spec), path)


@pytest.fixture
def shared(bucket, tmp_path, monkeypatch):
    """What machines share: a ledger on PostgreSQL, snapshots in an object store, a recipe."""
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed (no initdb)")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(RECIPE))
    with postgres_server() as url:
        for name, value in {"LEDGER": url, "SNAPSHOTS": bucket, "RECIPE": str(recipe)}.items():
            monkeypatch.setenv(f"CLAPBOARD_{name}", value)
        yield


@pytest.fixture
def homes(tmp_path) -> tuple[Home, Home]:
    """A home on each of two machines that share the folders of what is fetched and cut, as by NFS."""
    first, second = Home(tmp_path / "first"), Home(tmp_path / "second")
    for home in (first, second):
        home.root.mkdir()
    for name in ("videos", "cuts", "embeddings"):
        (first.root / name).mkdir()
        (second.root / name).symlink_to(first.root / name)
    return first, second


def test_from_standing_sources_to_an_animation_with_nobody_at_the_terminal(
    shared, homes, films, chromium, tmp_path  # noqa: F811
):  # fmt: skip
    here, there = homes
    port, mark = free_port(), f"operated-{os.getpid()}"
    server = Server(f"http://127.0.0.1:{port}/api")
    ports = ("--port", str(port), "--review-port", "0")
    with (
        up(here, mark, *ports, until_said="review page: open ", **SOON) as (first, line),
        up(there, mark, "--only", "curation", until_said="logs: ", PREFECT_API_URL=server.url) as (second, _),
    ):
        until(lambda: server.workers("curation") == 2)
        assert clapboard(here, "sources", "add", str(films)).returncode == 0
        curated_by_schedule(server, here, mark)
        server.start("train-stage-one", {"stage": 1, "snapshot": "auto", "settings": TINY})
        server.ended("train-stage-one")
        server.switch_on_stage_two(TINY)
        with reviewing(chromium, line.split()[-1]) as desk:
            review(desk, here)
        published_and_trained(server, here)
        animated(here, tmp_path)
        for home, running in ((there, second), (here, first)):
            said = clapboard(home, "down")
            assert said.returncode == 0 and "killed" not in said.stdout, said.stdout + said.stderr
            assert running.wait(20) == 0
        assert not marked(mark), "nothing survives"
    with sqlite3.connect(here.prefect / "prefect.db") as kept:
        states = dict(kept.execute("SELECT state_type, count(*) FROM flow_run GROUP BY state_type"))
    assert not set(OPEN) & set(states), states
    assert states["CRASHED"] == 1 and "FAILED" not in states


def curated_by_schedule(server: Server, home: Home, mark: str) -> None:
    """The first scheduled run is killed with its worker, the next one finishes; each film is measured once."""
    server.schedule("curate", {"sources": [], "recipe": ON_TOP})
    until(lambda: measured(home), within_s=120)
    (run,) = server.runs("curate")
    assert run["created_by"]["type"] == "SCHEDULE" and run["auto_scheduled"] and run["state_type"] == "RUNNING"
    (worker,) = programs(mark, run["labels"]["prefect.worker.name"])
    os.kill(worker, signal.SIGKILL)
    until(lambda: server.runs("curate")[0]["state_type"] == "CRASHED", within_s=30)
    before = measured(home)
    until(lambda: len(server.runs("curate")) >= 2, within_s=120)
    server.unschedule("curate")
    done = server.ended("curate")
    # One that began meanwhile may have had the turn to decide.
    until(lambda: not [one for one in server.runs("curate") if one["state_type"] in OPEN], within_s=300)
    assert done["name"].startswith("curate standing sources 20")
    after = measured(home)
    assert len(before) < len(after), "it was killed too late to prove anything"
    assert before.items() <= after.items(), "what was measured before was not measured again"
    count = len(SCENES) * (EACH + 1)
    with home.ledger() as ledger, ledger.session() as session:
        of = {row: session.scalar(select(func.count()).select_from(row)) for row in (SourceEntry, Video, WindowRow)}
        assert of == {SourceEntry: count, Video: count, WindowRow: WINDOWS * count}
        assert set(session.scalars(select(Video.analysis))) == {"ok"}
        scored = session.execute(select(ScoreRow.name, func.count()).group_by(ScoreRow.name)).all()
        assert {number for _, number in scored} == {WINDOWS * count}
        clips = session.scalars(select(ClipRow).where(ClipRow.current)).all()
        accepted = sorted(one.id for one in clips if one.band == Band.ACCEPT)
        asked = set(session.scalars(select(ReviewRow.clip_id)))
        left = [(one.id, one.band, one.reasons, one.duplicate_of) for one in clips if one.id not in asked]
    assert len(asked) == count and not left, left
    assert len(SCENES) * EACH <= len(accepted) < count, "some are accepted, and some doubtful"
    assert keys(home, "auto/v1") == accepted
    assert len(open_snapshot(home.snapshots, "auto").shard_sizes()) == -(
        -len(accepted) // ON_TOP["publish"]["clips_per_shard"]
    )


def measured(home: Home) -> dict[str, str]:
    """The scores that are there, each with the transaction that wrote it."""
    with home.ledger() as ledger, ledger.session() as session:
        rows = session.execute(text("SELECT window_id, name, version, xmin::text FROM score")).all()
    return {f"{window} {name} {version}": wrote for window, name, version, wrote in rows}


def keys(home: Home, ref: str) -> list[str]:
    """The keys of a snapshot's clips, all of whose bytes are what was published."""
    snapshot = open_snapshot(home.snapshots, ref)
    assert verify(snapshot) == []
    return sorted(snapshot.index().column("key").to_pylist())


@contextmanager
def reviewing(browser, link: str):
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    yield Desk(context.new_page()).open(link)
    context.close()


def review(desk: Desk, home: Home) -> None:
    """Answer by keyboard until the page says that it is enough, as somebody who looks and listens."""
    with home.ledger() as ledger, ledger.session() as session:
        links = dict(session.execute(select(ClipRow.id, Video.link).join(Video, Video.id == ClipRow.video_id)).all())
    answers = 0
    while not desk.page.is_visible("#enough"):
        right = "swapped" not in links[desk.clip]
        desk.answer(*("a" if right else "x3"))
        answers += 1
        desk.answered(answers)
    assert "You may stop here" in desk.page.inner_text("#enough") and desk.errors == []
    with home.ledger() as ledger, ledger.session() as session:
        said = session.scalars(select(VerdictRow)).all()
        assert len(said) == answers < len(links), "the targets were met before all was answered"
        assert {one.verdict for one in said if "swapped" in links[one.clip_id]} <= {"reject"}


def published_and_trained(server: Server, home: Home) -> None:
    """What reviewers accepted is published, and stage two trained on it, by automations alone."""
    published, trained = server.ended("publish-curated"), server.ended("train-stage-two")
    assert {one["created_by"]["type"] for one in (published, trained)} == {"AUTOMATION"}
    with home.ledger() as ledger, ledger.session() as session:
        accepted = select(VerdictRow.clip_id).where(VerdictRow.verdict == "accept")
        good = sorted(session.scalars(accepted))
        assert set(session.scalars(select(SnapshotRow.id))) == {"auto/v1", "curated/v1"}
    assert keys(home, "curated/v1") == good
    assert len(server.events("clapboard.curated-target-reached")) == 1
    (event,) = server.events("clapboard.curated-published")
    assert event["payload"] == {"snapshot": "curated/v1", "clips": len(good)}
    assert trained["parameters"]["params"]["snapshot"] == "curated/v1"
    facts = json.loads((newest(home) / "result.json").read_text())
    assert facts["steps_done"] == TINY["steps"]


def newest(home: Home) -> Path:
    """The folder of the newest run of stage two."""
    stage = home.training / "stage-two"
    return stage / (stage / "newest").read_text()


def animated(home: Home, folder: Path) -> None:
    """Its adapter moves an image as long as the sound is."""
    rate = 16_000
    sound = np.zeros(round(SOUND_S * rate), np.int16)
    for strike in (0.4, 1.1, 1.6):
        at = round(strike * rate)
        sound[at : at + rate // 20] = 9000
    wavfile.write(folder / "sound.wav", rate, sound)
    Image.fromarray(np.full((96, 96, 3), 90, np.uint8)).save(folder / "image.png")
    inputs = [str(folder / name) for name in ("image.png", "sound.wav")]
    said = clapboard(home, "animate", *inputs, "-o", str(folder / "film.mp4"), "--device", "cpu", "--steps", "2")
    assert said.returncode == 0, said.stderr
    asked = json.loads((folder / "film.json").read_text())["request"]
    assert asked["adapter_sha256"] == sha256_of(newest(home) / "adapter" / WEIGHTS), "it is stage two's"
    with av.open(str(folder / "film.mp4")) as film:
        lengths = {one.type: float(one.duration * one.time_base) for one in film.streams}
    assert lengths == {kind: pytest.approx(SOUND_S, abs=0.05) for kind in ("video", "audio")}
