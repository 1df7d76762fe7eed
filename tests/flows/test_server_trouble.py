"""Ordinary trouble with a Prefect server is a sentence: nobody answers, a damaged note, a taken port, a dead server."""

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from curation.home.folder import Home
from curation.review.progress import Enough, progress
from curation.settings.review import ReviewSettings
from flows import server
from flows.cli.review import _tell
from flows.doctor import _server
from flows.findings import State
from flows.server import NOTE, free_port, known_server, running_server, start_server
from shards.errors import BadInput, Unavailable

CLAPBOARD = (sys.executable, "-c", "from flows.cli import main; main()")
NOBODY = "http://127.0.0.1:9/api"


class HealthyStranger(BaseHTTPRequestHandler):
    """Another home's server, as far as anybody asks."""

    def do_GET(self):
        said = b'{"home": "/somewhere/else"}' if self.path.endswith("settings") else b"true"
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_):
        pass


@contextmanager
def stranger():
    """The port of a server that somebody else runs."""
    with ThreadingHTTPServer(("127.0.0.1", 0), HealthyStranger) as there:
        Thread(target=there.serve_forever, daemon=True).start()
        yield there.server_port
        there.shutdown()


def clapboard(*arguments, **environment):
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")} | environment
    return subprocess.run([*CLAPBOARD, *map(str, arguments)], capture_output=True, text=True, timeout=120, env=plain)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    place = Home(tmp_path / "home")
    place.prefect.mkdir(parents=True)
    return place


class TestANamedServer:
    @pytest.mark.parametrize("url", [NOBODY, "nonsense", "http://[::1"])
    def test_that_does_not_answer_is_said_before_anything_is_done(self, tmp_path, url):
        (tmp_path / "rows.csv").write_text("url\nhttps://example.org/film.mp4\n")
        done = clapboard("curate", tmp_path / "rows.csv", "--home", tmp_path / "home", PREFECT_API_URL=url)
        assert done.returncode == 3 and "Traceback" not in done.stderr, done.stderr
        assert "PREFECT_API_URL names cannot be used" in done.stderr and "unset PREFECT_API_URL" in done.stderr

    def test_that_is_another_kind_of_server_is_refused(self, home, monkeypatch):
        with stranger() as port:
            monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{port}")
            with pytest.raises(Unavailable, match="cannot be used"), known_server(home):
                pass

    def test_that_does_not_answer_is_what_the_doctor_finds(self, home, monkeypatch):
        monkeypatch.setenv("PREFECT_API_URL", NOBODY)
        found = _server(home)
        assert found.state is State.BLOCKED
        assert "PREFECT_API_URL" in found.found and "unset PREFECT_API_URL" in found.remedy


def test_a_review_page_goes_on_where_the_named_server_does_not_hear_it(home, monkeypatch, capsys):
    monkeypatch.setenv("PREFECT_API_URL", NOBODY)
    with home.ledger() as ledger:
        queue = progress(ledger, ReviewSettings())
    _tell(home, replace(queue, enough=Enough.TARGETS_MET, accepted=1))
    assert "no flow was told" in capsys.readouterr().err


@pytest.mark.parametrize(
    "note", [b"{", b"", b"\xff", b"[]", b"7", b"{}", b'{"url": 7}', b'{"url": "foo"}', b'{"url": "http://[::1"}']
)
def test_a_damaged_note_is_no_note(home, note):
    (home.prefect / NOTE).write_bytes(note)
    assert running_server(home) is None
    assert _server(home).found.startswith("none runs")


def test_somebody_who_speaks_no_http_is_no_server(home):
    with socket.create_server(("127.0.0.1", 0)) as there:

        def babble():
            with there.accept()[0] as guest:
                guest.recv(1000)
                guest.sendall(b"220 mail.example.org ready\r\n\r\n")

        Thread(target=babble, daemon=True).start()
        (home.prefect / NOTE).write_text(json.dumps({"url": f"http://127.0.0.1:{there.getsockname()[1]}/api"}))
        assert running_server(home) is None


class TestServing:
    def test_a_taken_port_is_refused_and_the_note_of_who_has_it_is_kept(self, home):
        with stranger() as port:
            (home.prefect / NOTE).write_text(json.dumps({"url": f"http://127.0.0.1:{port}/api"}))
            with pytest.raises(BadInput, match=f"port {port} is taken") as caught:
                start_server(home, port=port)
            assert "--port 0" in caught.value.remedy
            assert running_server(home), "whoever runs there is not stopped or forgotten"
            done = clapboard("serve", "--port", port, "--home", home.root)
            assert done.returncode == 2 and f"port {port} is taken" in done.stderr
            assert done.stdout == ""

    @pytest.mark.parametrize("port", [-1, 65_536])
    def test_a_port_that_cannot_be_is_refused(self, home, port):
        done = clapboard("serve", "--port", port, "--home", home.root)
        assert done.returncode == 2 and "than or equal to" in done.stderr

    def test_another_home_s_server_that_took_the_port_meanwhile_is_not_claimed(self, home, monkeypatch):
        monkeypatch.setattr(server, "check_port", lambda host, port, **_: None)
        with stranger() as port, pytest.raises(Unavailable, match="did not start"):
            start_server(home, port=port)
        assert not (home.prefect / NOTE).exists()

    def test_a_server_that_dies_ends_the_command_with_an_error(self, home):
        plain = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        command = [*CLAPBOARD, "serve", "--port", str(free_port()), "--home", str(home.root)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=plain) as served:
            try:
                assert served.stdout.readline().startswith("Prefect UI")
                os.killpg(json.loads((home.prefect / NOTE).read_text())["pid"], signal.SIGKILL)
                _, complaint = served.communicate(timeout=30)
            finally:
                served.kill()
        assert served.returncode == 3 and "the Prefect server ended by itself" in complaint
        assert "Traceback" not in complaint and not (home.prefect / NOTE).exists()
