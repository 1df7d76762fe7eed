"""One command at a time works in a home; the lock goes with its holder, however it ends."""

import signal
import subprocess
import sys

import pytest

from curation.home.folder import Home
from flows.run import alone_in, as_given
from shards.errors import ClapboardError

HOLD = "import sys; from pathlib import Path; from curation.home.folder import Home; from flows.run import alone_in\n"
HOLD += "with alone_in(Home(Path(sys.argv[1]))): print('held', flush=True); sys.stdin.read()"


def test_a_second_command_is_told_to_wait_and_a_killed_one_leaves_no_lock(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(ClapboardError, match="another command is working"), alone_in(Home(tmp_path)):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.wait(10)
    with alone_in(Home(tmp_path)):
        pass


@pytest.mark.parametrize(
    "source",
    [
        "ytsearch50:drum solo",
        "scsearchall:a b",
        "list:https://example.org/playlist",
        "list:ytsearch5:bells",
        "prefix:https://example.org/films/",
        "s3://bucket/films",
        "https://youtu.be/jNQXAC9IVRw",
    ],
)
def test_what_lies_elsewhere_reaches_the_flow_as_it_was_written(source):
    assert as_given(source) == source


def test_what_lies_here_reaches_the_flow_from_the_root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for source in ("links.csv", "films", "more/*.mkv", "a film: the second.mp4"):
        assert as_given(source) == str(tmp_path / source)
