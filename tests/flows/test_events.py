"""What a Prefect server did not take was not told."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import prefect
import pytest

from curation.decide.calibrate import Interval
from curation.home.folder import Home
from curation.review.progress import Enough, Progress
from flows.events import tell_clips_wait, tell_published, tell_target_reached
from flows.server import NOTE
from flows.told import told
from shards.errors import Unavailable


class Ill(BaseHTTPRequestHandler):
    """A server that answers questions, and fails at whatever it is told."""

    def do_GET(self) -> None:
        answers = {"/api/health": True, "/api/admin/version": prefect.__version__}
        if self.path not in answers:
            return self.send_error(404)
        body = json.dumps(answers[self.path]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return None

    def do_POST(self) -> None:
        self.send_error(500)

    def log_message(self, *_: object) -> None:
        """Nothing to the terminal."""


@pytest.fixture
def home(tmp_path, monkeypatch) -> Home:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    home = Home(tmp_path / "home")
    home.make()
    with ThreadingHTTPServer(("127.0.0.1", 0), Ill) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        home.prefect.mkdir(parents=True, exist_ok=True)
        (home.prefect / NOTE).write_text(json.dumps({"url": f"http://127.0.0.1:{server.server_port}/api"}))
        yield home
        server.shutdown()


def test_what_was_not_taken_is_told_again(home):
    wait, enough = queue(waiting=3), queue(waiting=1, accepted=2)
    for _ in range(2):
        with pytest.raises(Unavailable, match=r"was not told clapboard\.clips-wait") as caught:
            tell_clips_wait(home, wait, page="http://page/")
        assert "clapboard status" in caught.value.remedy
        with pytest.raises(Unavailable, match=r"was not told clapboard\.curated-target-reached"):
            tell_target_reached(home, enough)
    with pytest.raises(Unavailable, match=r"was not told clapboard\.curated-published"):
        tell_published(home, "curated/v1", clips=2)
    with told(home) as note:
        assert note.enough and not note.enough_told and note.asked == 0


def test_where_no_server_is_nobody_was_told(home):
    (home.prefect / NOTE).unlink()
    assert not tell_clips_wait(home, queue(waiting=3), page="http://page/")
    assert not tell_target_reached(home, queue(waiting=1, accepted=2))
    with told(home) as note:
        assert note.enough and not note.enough_told and note.asked == 0


def queue(*, waiting: int, accepted: int = 0) -> Progress:
    """Enough is known where anything was accepted."""
    enough = Enough.TARGETS_MET if accepted else None
    return Progress(waiting, 0, accepted, 0, (), Interval(0.0, 0.0, 1.0), enough, 0)
