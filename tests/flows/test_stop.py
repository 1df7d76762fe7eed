"""A cancelled run ends within ten seconds, in whatever phase: real server, worker, decoders and signals.

What was in the middle counts as not done: nobody blames a video for the end of its decoder.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import func, select

from bench.drawn import drawn_snapshot
from curation.home.folder import Home
from curation.ledger.tables import Video
from curation.outcomes import Outcome
from flows.stopping import TERMINATED
from shards.ffmpeg import ffmpeg_binary
from tests.operating import CLAPBOARD, asked, begun, flow_run, plain, programs, started
from tests.waiting import command_line, family, until

pytestmark = pytest.mark.slow

WITHIN_S = 10.0
RECIPE = {"policy": {"accept_all": True}, "fetch": {"allow_loopback": True}}
QUICK = {"batch": 2, "probe_clips": 2, "held_out": 0.3, "log_every": 1, "device": "cpu", "steps": 20000}


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> dict[str, Path]:
    """Folders: films that are decoded for many seconds, and such as are soon decoded and have many clips to cut."""
    root = tmp_path_factory.mktemp("films")
    wanted = {"long": ("1280x720", 100, 2), "many": ("640x360", 60, 3)}
    commands = []
    for name, (size, seconds, count) in wanted.items():
        (root / name).mkdir()
        for number in range(count):
            picture = f"testsrc2=s={size}:r=25:d={seconds},hue=h={number * 40}"
            sound = f"sine={300 + 50 * number}:d={seconds}"
            command = [ffmpeg_binary(), "-v", "error", "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound]
            commands.append([*command, "-preset", "ultrafast", str(root / name / f"{number}.mp4")])
    with ThreadPoolExecutor(2) as threads:
        assert not any(threads.map(lambda one: subprocess.run(one, timeout=120, check=False).returncode, commands))
    return {name: root / name for name in wanted}


def decoders(pid: int) -> set[int]:
    """The processes below one that decode; their environment is bare, so they bear no mark."""
    return {one for one in family(pid) if b"curation.media.worker" in command_line(one)}


def at_work(pid: int) -> set[int]:
    """What a run consists of: its own process, and all that decodes, fetches or trains for it."""
    words = b"prefect.engine", b"curation.", b"training."
    return {one for one in family(pid) if any(word in command_line(one) for word in words)}


def cancel(url: str, run: str) -> None:
    """As the button in Prefect's UI does it."""
    asked(url, f"/flow_runs/{run}/set_state", state={"type": "CANCELLING", "name": "Cancelling"})


def seconds_until(condition: Callable[[], bool]) -> float:
    start = time.monotonic()
    until(condition, within_s=90)
    return time.monotonic() - start


def cuts(home: Home) -> list[Path]:
    return list(home.cuts.glob("*/*.mp4"))


def nothing_is_blamed(home: Home) -> bool:
    """Whether no video is said to be bad, as one is whose decoder died."""
    with home.ledger() as ledger, ledger.session() as session:
        bad = select(func.count()).where(Video.analysis.is_not(None), Video.analysis != Outcome.OK)
        return session.scalar(bad) == 0


def in_phase(phase: str, home: Home, pid: int) -> bool:
    return bool(cuts(home)) if phase == "cutting" else len(decoders(pid)) > 1


@pytest.mark.parametrize(("phase", "kind"), [("measuring", "long"), ("cutting", "many")])
def test_a_curation_that_is_cancelled_is_gone_within_ten_seconds(
    running, films, tmp_path, phase, kind, record_property
):
    process, url = running.process, running.url
    home = Home(tmp_path / "home")
    run = started(url, "curate", {"home": str(home.root), "sources": [str(films[kind])], "recipe": RECIPE})
    until(lambda: in_phase(phase, home, process.pid), within_s=120)
    assert flow_run(url, run)["state_type"] == "RUNNING"
    cancel(url, run)
    took_s = seconds_until(lambda: flow_run(url, run)["state_type"] == "CANCELLED" and not at_work(process.pid))
    record_property("seconds", took_s)
    print(f"{phase}: {took_s:.1f} s")
    assert took_s < WITHIN_S and "goes on where this one stopped" in flow_run(url, run)["state"]["message"]
    assert nothing_is_blamed(home) and not (home.snapshots / "auto").exists()


def test_a_fetch_that_is_cancelled_is_gone_within_ten_seconds(running, silence):
    process, url = running.process, running.url
    run = begun(url, silence)
    cancel(url, run)
    took_s = seconds_until(lambda: flow_run(url, run)["state_type"] == "CANCELLED" and not at_work(process.pid))
    print(f"fetching: {took_s:.1f} s")
    assert took_s < WITHIN_S


def test_training_that_is_cancelled_saves_and_is_gone_within_ten_seconds(running, tmp_path):
    process, url = running.process, running.url
    home = Home(tmp_path)
    drawn_snapshot(home.snapshots, "auto", films=6, seconds=2.5, seed=0)
    run = started(url, "train-stage-one", {"home": str(home.root), "stage": 1, "settings": QUICK})
    until(lambda: any(one.stat().st_size for one in home.training.glob("stage-one/*/metrics.jsonl")), within_s=120)
    cancel(url, run)
    took_s = seconds_until(lambda: flow_run(url, run)["state_type"] == "CANCELLED" and not at_work(process.pid))
    print(f"training: {took_s:.1f} s")
    assert took_s < WITHIN_S
    assert list(home.training.glob("stage-one/*/checkpoints/*")) and not list(home.training.glob("*/*/result.json"))


def test_a_worker_that_is_told_to_end_takes_its_run_along(running, films, tmp_path):
    process, url, mark = running.process, running.url, running.mark
    home = Home(tmp_path / "home")
    run = started(url, "curate", {"home": str(home.root), "sources": [str(films["long"])], "recipe": RECIPE})
    until(lambda: in_phase("measuring", home, process.pid), within_s=120)
    (worker,) = programs(mark, "--pool curation")
    os.kill(worker, signal.SIGTERM)
    took_s = seconds_until(lambda: flow_run(url, run)["state_type"] == "CRASHED" and not at_work(process.pid))
    print(f"worker: {took_s:.1f} s")
    assert took_s < WITHIN_S and nothing_is_blamed(home)
    until(lambda: programs(mark, "--pool curation") - {worker}, within_s=60)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_command_that_is_stopped_ends_within_ten_seconds(films, tmp_path, number, code):
    home = Home(tmp_path / "home")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("policy: {accept_all: true}\n")
    command = [*CLAPBOARD, "curate", str(films["long"]), "--home", str(home.root), "--recipe", str(recipe)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=plain()) as curating:
        until(lambda: in_phase("measuring", home, curating.pid), within_s=120)
        below = family(curating.pid)
        curating.send_signal(number)
        start = time.monotonic()
        said = curating.communicate(timeout=60)[1]
    took_s = time.monotonic() - start
    print(f"command: {took_s:.1f} s")
    assert took_s < WITHIN_S and curating.returncode == code and "run the same command again" in said
    until(lambda: not below & {one for one in below if command_line(one)}, within_s=5)
    assert nothing_is_blamed(home)
    shutil.rmtree(home.root)


DEAF = """
import signal, sys, threading, time
from flows.stopping import stoppable, whole_process

signal.signal(signal.SIGTERM, signal.default_int_handler)

@stoppable(within_s=0.5)
def body():
    deaf = threading.Thread(target=time.sleep, args=(300,))
    deaf.start()
    print("begun", flush=True)
    time.sleep(300)

if sys.argv[1] == "alone":
    with whole_process():
        body()
else:
    body()
"""


@pytest.mark.parametrize("alone", [True, False])
def test_a_thread_that_looks_at_nothing_is_not_waited_for_in_a_process_of_ours(alone):
    """A process that is there for more than the run, such as somebody's notebook, is nobody's to end."""
    command = [sys.executable, "-c", DEAF, "alone" if alone else "shared"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=plain()) as running:
        assert running.stdout.readline() == "begun\n"
        running.send_signal(signal.SIGTERM)
        if alone:
            said = running.communicate(timeout=30)[1]
            assert running.returncode == TERMINATED and "stopped in the middle" in said
        else:
            with pytest.raises(subprocess.TimeoutExpired):
                running.wait(3)
            running.kill()
