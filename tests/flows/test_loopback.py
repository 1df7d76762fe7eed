"""The demo's server: ranges, missing pages, counting, and a clean end."""

import socket
import urllib.error
import urllib.request

import pytest

from flows.demo.loopback import is_free, serve_folder
from shards.errors import BadInput, Unavailable


def fetch(url, **headers):
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
        return answer.status, answer.read()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "clip.mp4").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "empty.mp4").write_bytes(b"")
    return tmp_path


def test_answers_whole_files_and_ranges(folder):
    with serve_folder(folder) as server:
        assert fetch(f"{server.base_url}/clip.mp4") == (200, bytes(range(256)) * 40)
        assert fetch(f"{server.base_url}/clip.mp4", Range="bytes=256-259") == (206, bytes(range(4)))
        assert fetch(f"{server.base_url}/empty.mp4") == (200, b"")


def test_answers_404_for_what_is_not_there_and_counts_every_answer(folder):
    with serve_folder(folder) as server:
        with pytest.raises(urllib.error.HTTPError, match="404"):
            fetch(f"{server.base_url}/gone.mp4")
        fetch(f"{server.base_url}/clip.mp4")
        fetch(f"{server.base_url}/clip.mp4")
        assert server.answered == 3
        assert server.answers == {("/gone.mp4", 404): 1, ("/clip.mp4", 200): 2}


def test_does_not_leave_the_folder(folder):
    with serve_folder(folder) as server, pytest.raises(urllib.error.HTTPError, match="404"):
        fetch(f"{server.base_url}/%2e%2e/%2e%2e/etc/passwd")


def test_a_fixed_port_can_be_used_again_right_after_the_block(folder):
    with serve_folder(folder) as server:
        port = int(server.base_url.rsplit(":", 1)[1])
    with serve_folder(folder, port=port) as server:
        assert server.base_url == f"http://127.0.0.1:{port}"
        assert fetch(f"{server.base_url}/clip.mp4")[0] == 200
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=2)


def test_says_so_when_port_or_folder_cannot_be_used(folder):
    with serve_folder(folder) as server:
        taken = int(server.base_url.rsplit(":", 1)[1])
        with pytest.raises(Unavailable, match="cannot be opened"), serve_folder(folder, port=taken):
            pass
    with pytest.raises(BadInput, match="no folder"), serve_folder(folder / "absent"):
        pass


def test_a_port_in_use_is_not_free(tmp_path):
    with serve_folder(tmp_path) as server:
        port = int(server.base_url.rpartition(":")[2])
        assert not is_free(port)
    assert is_free(port)
