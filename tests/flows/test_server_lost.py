"""A server that dies in the middle: our own is started again and the run goes on, another's ends it with a sentence."""

import json
import os
import signal
import subprocess
import sys

import pytest
from prefect import flow
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from curation.home.folder import Home
from flows.server import NOTE, check_port, free_port, prefect_server, running_server, start_server, stop_server
from shards.errors import Unavailable
from tests.waiting import alive, family, until

CLAPBOARD = (sys.executable, "-m", "flows.cli")


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("PREFECT_API")]:
        monkeypatch.delenv(name)
    return Home(tmp_path / "home")


def pid_in(home):
    """Of the server that is noted; None while there is no note."""
    try:
        return json.loads((home.prefect / NOTE).read_text())["pid"]
    except FileNotFoundError:
        return None


def test_our_own_is_started_again_and_the_run_goes_on(home):
    @flow
    def double(number: int) -> int:
        return 2 * number

    with prefect_server(home):
        assert double(2) == 4
        first = pid_in(home)
        os.killpg(first, signal.SIGKILL)
        until(lambda: pid_in(home) not in (None, first))
        second = pid_in(home)
        until(lambda: running_server(home), within_s=240)
        assert double(3) == 6
    assert not alive(second) and not (home.prefect / NOTE).exists()


def test_another_s_ends_the_run_with_a_sentence_and_the_command_that_goes_on(home, monkeypatch):
    @flow
    def loses(server: int) -> None:
        os.killpg(server, signal.SIGKILL)

    server, _ = start_server(home, port=free_port())
    monkeypatch.setattr(sys, "argv", ["clapboard", "curate", "my films"])
    try:
        with (
            pytest.raises(Unavailable) as caught,
            temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}),
            prefect_server(home),
        ):
            loses(server.pid)
    finally:
        stop_server(server, home)
    assert "went away in the middle of the run" in caught.value.message
    assert "clapboard curate 'my films'" in caught.value.remedy


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_serving_ends_with_its_server_and_frees_the_port(home, number):
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    port = free_port()
    command = [*CLAPBOARD, "serve", "--port", str(port), "--home", str(home.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=plain) as served:
        assert served.stdout.readline().startswith("Prefect UI")
        started = family(served.pid)
        assert started
        served.send_signal(number)
        _, complaint = served.communicate(timeout=60)
    until(lambda: not any(map(alive, started)))
    check_port("127.0.0.1", port)
    assert number == signal.SIGKILL or (served.returncode == 143 and "Traceback" not in complaint)
