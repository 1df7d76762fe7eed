"""The demo's path as a user runs it: one command, a real server, real downloads, the known truth."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import pyarrow.parquet
import pytest
import webdataset

from curation.accounting.funnel import funnel
from curation.home.folder import Home
from flows.demo.answers import judge, links_of
from flows.demo.loopback import serve_folder
from flows.demo.planted import read_planted, write_sources
from flows.server import free_port, start_server, stop_server
from shards.snapshot import open_snapshot
from shards.verifying import verify

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(600)]

CLAPBOARD = [sys.executable, "-c", "from flows.cli import main; main()"]


def clapboard(*arguments: str, **changes: str) -> str:
    done = subprocess.run(
        [*CLAPBOARD, *arguments], capture_output=True, text=True, timeout=500, env=os.environ | changes
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def fetched(home: Home) -> dict[str, tuple[int, int]]:
    return {path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in home.videos.iterdir()}


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> tuple[Home, str]:
    root = tmp_path_factory.mktemp("demo")
    return Home(root), clapboard("demo", "--quick", "--home", str(root))


@pytest.fixture(scope="module")
def prefect_api(tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("prefect"))
    process, url = start_server(home, port=free_port())
    yield url
    stop_server(process, home)


def test_every_planted_defect_gets_its_reason_and_nothing_good_is_lost(demo):
    home, _ = demo
    port = json.loads((home.root / "demo.json").read_text())["port"]
    truth = links_of(read_planted(home.root / "world"), f"http://127.0.0.1:{port}")
    with home.ledger() as ledger:
        judged = judge(ledger, truth)
    assert len(judged) >= 35
    assert {one.planted.file: one.found for one in judged if not one.ok} == {}
    assert len({one.planted.defect for one in judged}) >= 14


def test_the_funnel_adds_up_and_is_printed(demo):
    home, said = demo
    with home.ledger() as ledger:
        stages = funnel(ledger)
    assert [stage.name for stage in stages if not stage.adds_up] == []
    rows = {stage.name: stage.outcomes for stage in stages}
    assert (rows["source rows"]["duplicate_row"], rows["source rows"]["bad_span"]) == (1, 1)
    assert rows["rows cut into windows"]["span_outside_video"] == 1
    for word in ("truncated", "no_audio_track", "reject: silent", "not run: score clip", "weights fetch clip"):
        assert word in said


def test_the_snapshots_open_with_plain_webdataset_and_pyarrow(demo):
    home, _ = demo
    for ref in ("auto/v1", "curated/v1"):
        snapshot = open_snapshot(home.snapshots, ref)
        assert verify(snapshot) == []
        index = pyarrow.parquet.read_table(snapshot.path / "index.parquet")
        samples = list(webdataset.WebDataset([str(path) for path in snapshot.shards()], shardshuffle=False))
        assert [one["__key__"] for one in samples] == index.column("key").to_pylist()
        assert index.num_rows == snapshot.manifest["counts"]["clips"] > 0
        assert min(index.column("duration_us").to_pylist()) >= 3_000_000
        assert "no words are known" not in snapshot.file("README.md").read_text(encoding="utf-8")
    verdicts = set(index.column("verdict").to_pylist())
    assert verdicts == {"accept"}, "curated holds what was accepted by a reviewer, and nothing else"


def test_the_animation_has_picture_and_sound_of_one_length(demo):
    home, _ = demo
    with av.open(str(home.root / "animation" / "animation.mp4")) as film:
        lengths = {stream.type: float(stream.duration * stream.time_base) for stream in film.streams}
        frames = [frame.to_ndarray(format="gray") for frame in film.decode(video=0)]
    assert lengths == {"video": pytest.approx(2.0, abs=0.05), "audio": pytest.approx(2.0, abs=0.05)}
    assert any((frame != frames[0]).any() for frame in frames[1:]), "nothing moves"
    report = (home.report).read_text(encoding="utf-8")
    assert "planted truth" in report.lower() and "data:video/mp4;base64" in report


def test_a_second_run_downloads_nothing_and_publishes_nothing(demo):
    home, _ = demo
    files, snapshots = fetched(home), tree(home.snapshots)
    runs = {path: path.stat().st_mtime_ns for path in home.training.rglob("*.safetensors")}
    said = clapboard("demo", "--quick", "--home", str(home.root))
    assert fetched(home) == files
    assert tree(home.snapshots) == snapshots
    assert {path: path.stat().st_mtime_ns for path in home.training.rglob("*.safetensors")} == runs
    for words in ("all drawn before", "all fetched before", "all measured before", "unchanged", "was there"):
        assert words in said


def test_a_run_killed_in_the_middle_and_run_again_gives_the_same_bytes(demo, prefect_api, tmp_path):
    done, _ = demo
    world = done.root / "world"
    with serve_folder(world, port=json.loads((done.root / "demo.json").read_text())["port"]) as server:
        table = write_sources(world, server.base_url)
        home = Home(tmp_path / "killed")
        command = ["curate", str(table), "--recipe", "demo", "--home", str(home.root)]
        for landmark in ("videos/*.mp4", "cuts/*/*.json"):
            _kill_at(home, landmark, command, prefect_api)
        clapboard(*command, PREFECT_API_URL=prefect_api)
        answered = server.answered
        clapboard(*command, PREFECT_API_URL=prefect_api)
        assert server.answered == answered, "a finished run asks the server for nothing"
    assert tree(home.snapshots / "auto") == tree(done.snapshots / "auto")


def _kill_at(home: Home, landmark: str, command: list[str], prefect_api: str) -> None:
    """Run until some files of the landmark are there, then kill the whole process group at once."""
    before = len(list(home.root.glob(landmark)))
    process = subprocess.Popen(
        [*CLAPBOARD, *command],
        env=os.environ | {"PREFECT_API_URL": prefect_api},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while len(list(home.root.glob(landmark))) < before + 4 and time.monotonic() < deadline:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(30)
    assert not (home.snapshots / "auto").exists(), "it was killed too late to prove anything"
