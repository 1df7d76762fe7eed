"""A take-down may be killed anywhere, and run by many at once: the demand is on record, and repeating finishes it."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shards.demands import LOG, open_demands
from shards.publishing import publish
from shards.reader import read_samples
from shards.snapshot import list_snapshots, open_snapshot, place
from shards.takedown import log, take_down
from shards.verifying import verify
from tests.shards.conftest import sample

AT = datetime(2026, 11, 23, tzinfo=UTC)
KILLED = """
    import shutil, sys
    from datetime import UTC, datetime
    from pathlib import Path

    from shards.publishing import publish
    from shards.demands import open_demands
    from shards.snapshot import list_snapshots
    from shards.takedown import log, take_down
    from shards.verifying import verify
    from conftest import sample
    from killing import killed_at_each_step

    whole, root = Path(sys.argv[1]), Path(sys.argv[2])
    at = datetime(2026, 11, 23, tzinfo=UTC)

    def prepare():
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(whole, root)
        return root

    def work():
        take_down(root, {"0002"}, reason="asked", at=at)

    def state():
        return [one.id for one in list_snapshots(root)], log(root)

    prepare()
    publish(root, "warm", [sample(1)], recipe={})  # what is imported then is imported once
    steps = 0
    for steps in killed_at_each_step(work, prepare):
        known = open_demands(root)
        if [one.id for one in list_snapshots(root)] != ["auto/v1", "auto/v2"]:
            assert known, f"step {steps}: something was done that nobody knows of"
        take_down(root, {"0002"}, reason="asked", at=at)
        [left], [line] = state()
        assert left == "auto/v3", steps
        assert (line["keys"], sorted(line["withdrawn"]), line["successor"]) == (
            ["0002"], ["auto/v1", "auto/v2"], "auto/v3"), (steps, line)
        assert open_demands(root) == [], steps
        assert verify(list_snapshots(root)[0]) == [], steps
        gone = sample(2).mp4.read()
        kept = b"".join(path.read_bytes() for path in sorted((root / "auto").rglob("*")) if path.is_file())
        assert gone not in kept and sample(3).mp4.read() in kept, steps
    print(steps)
"""


def program(text, *arguments):
    """A Python process that finds the tests' own modules, and plays no part in the recording of what is covered."""
    here = Path(__file__).parent
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (here, here.parents[1])))}
    command = [sys.executable, "-c", textwrap.dedent(text), *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_killed_before_any_of_its_steps_it_is_finished_by_the_same_demand(tmp_path):
    publish(tmp_path / "whole", "auto", [sample(n) for n in range(6)], recipe={}, clips_per_shard=3)
    publish(tmp_path / "whole", "auto", [sample(n) for n in range(8)], recipe={}, clips_per_shard=3)
    said, complaints = program(KILLED, tmp_path / "whole", tmp_path / "root").communicate(timeout=600)
    assert complaints == ""
    assert int(said) >= 10


AT_ONCE = """
    import os, sys
    from datetime import UTC, datetime

    import s3fs, webdataset  # imported once, and used by nobody before the processes part

    from shards.snapshot import place
    from shards.takedown import take_down

    begin, together = os.pipe()
    for key in sys.argv[2:]:
        if not os.fork():
            os.close(together)
            os.read(begin, 1)
            take_down(place(sys.argv[1]), {key}, reason="asked", at=datetime.now(UTC))
            os._exit(0)
    os.close(together)
    print(*(os.waitstatus_to_exitcode(os.wait()[1]) for _ in sys.argv[2:]))
"""


@pytest.fixture(params=["folder", "object store"])
def root(request, tmp_path):
    return place(tmp_path / "data" if request.param == "folder" else request.getfixturevalue("bucket"))


@pytest.mark.parametrize("wanted", [("0000", "0003", "0004", "0007"), ("0002",) * 4], ids=["four", "the same"])
def test_of_four_processes_at_once_all_succeed(root, wanted):
    publish(root, "auto", [sample(n) for n in range(6)], recipe={}, clips_per_shard=2)
    publish(root, "auto", [sample(n) for n in range(10)], recipe={}, clips_per_shard=2)
    said, complaints = program(AT_ONCE, root, *wanted).communicate(timeout=600)
    assert said == "0 0 0 0\n", complaints[-3000:]
    assert complaints == ""
    [left] = list_snapshots(root)
    assert verify(left) == []
    assert sorted(one.key for one in read_samples(left)) == [f"{n:04x}" for n in range(10) if f"{n:04x}" not in wanted]
    assert sorted(key for line in log(root) for key in line["keys"]) == sorted({*wanted})
    assert open_demands(root) == []


def test_threads_that_take_down_at_once_all_succeed(tmp_path):
    publish(tmp_path, "auto", [sample(n) for n in range(8)], recipe={}, clips_per_shard=2)
    with ThreadPoolExecutor(4) as threads:
        sent = [threads.submit(take_down, tmp_path, {f"{n:04x}"}, reason="asked", at=AT) for n in range(4)]
        assert [one.result()[0].keys for one in sent] == [(f"{n:04x}",) for n in range(4)]
    assert sorted(one.key for one in read_samples(open_snapshot(tmp_path, "auto"))) == ["0004", "0005", "0006", "0007"]
    assert len(log(tmp_path)) == 4


def test_a_line_that_was_cut_off_swallows_no_other(tmp_path):
    publish(tmp_path, "auto", [sample(1), sample(2)], recipe={})
    (tmp_path / LOG).write_text('{"demand": "x", "ope')
    take_down(tmp_path, {"0001"}, reason="asked", at=AT)
    assert [one["keys"] for one in log(tmp_path)] == [["0001"]]


def test_lines_of_older_take_downs_are_kept_as_they_are(tmp_path):
    old = {"at": AT.isoformat(), "reason": "old", "name": "auto", "keys": ["0009"], "withdrawn": ["auto/v1"],
           "successor": "auto/v2", "written_bytes": 7}  # fmt: skip
    (tmp_path / LOG).write_text(json.dumps(old) + "\n")
    publish(tmp_path, "auto", [sample(1), sample(2)], recipe={})
    take_down(tmp_path, {"0001"}, reason="asked", at=AT)
    assert log(tmp_path)[0] == old and len(log(tmp_path)) == 2
    assert (tmp_path / LOG).read_text().startswith(json.dumps(old) + "\n")


def test_a_damaged_version_leaves_the_demand_open_and_the_other_names_are_done(tmp_path):
    for name in ("auto", "curated"):
        publish(tmp_path, name, [sample(n) for n in range(4)], recipe={}, clips_per_shard=2)
    good = tmp_path / "good"
    index = tmp_path / "auto" / "v1" / "index.parquet"
    shutil.copy(index, good)
    index.write_bytes(index.read_bytes()[:-1] + b"!")
    with pytest.raises(Exception, match=r"auto/v1.*index.parquet changed.*snapshot withdraw auto/v1"):
        take_down(tmp_path, {"0001"}, reason="asked", at=AT)
    assert [one.id for one in list_snapshots(tmp_path)] == ["auto/v1", "curated/v2"]
    assert [one.reason for one in open_demands(tmp_path)] == ["asked"]
    shutil.copy(good, index)
    take_down(tmp_path, {"0001"}, reason="asked", at=AT)
    assert [one.id for one in list_snapshots(tmp_path)] == ["auto/v2", "curated/v2"]
    assert open_demands(tmp_path) == [] and len(log(tmp_path)) == 2
