"""What holds a cage is tried from inside; here, what is said of a machine where nothing does."""

import socket
import subprocess
import sys
from pathlib import Path

from curation.fetch.holding import Holds, ways_out, what_holds

FROM_A_TREE = """
import sys
from pathlib import Path
from curation.fetch.holding import what_holds
if __name__ == "__main__":
    print(what_holds(Path(sys.argv[1])).reading)
"""


def test_without_a_cage_nothing_holds(tmp_path):
    file = tmp_path / "ledger.sqlite"
    file.write_bytes(b"secret")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        held = ways_out(str(file), listener.getsockname()[1], 1 << 20)
    assert not any(held.values()) and set(held) == set(Holds.__slots__)
    assert file.read_bytes() == b"", "emptying was not only asked about"


def test_a_cage_is_asked_from_inside_and_leaves_nothing(tmp_path):
    assert isinstance(what_holds(tmp_path), Holds)
    assert not list(tmp_path.iterdir())


def test_a_home_beside_the_program_that_runs_is_out_of_reach_too(tmp_path):
    """Its folder is on Python's path, so it once could be read, with the ledger in it."""
    (tmp_path / "program.py").write_text(FROM_A_TREE)
    home = tmp_path / "home"
    home.mkdir()
    said = subprocess.run(
        [sys.executable, tmp_path / "program.py", home], capture_output=True, text=True, timeout=60, check=True
    )
    anywhere = what_holds(Path("/tmp")).reading
    assert said.stdout.strip() == str(anywhere)
