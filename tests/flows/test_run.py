"""One command at a time works in a home; the lock goes with its holder, however it ends."""

import signal
import subprocess
import sys

import pytest

from curation.home import Home
from flows.run import alone_in
from shards.errors import ClapboardError

HOLD = "import sys; from pathlib import Path; from curation.home import Home; from flows.run import alone_in\n"
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
