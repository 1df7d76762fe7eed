"""Serving the review page: on the loopback only, with previews cut on demand."""

import signal
import socket
import subprocess
import sys
from http.client import HTTPConnection
from urllib.parse import urlsplit

import av
import pytest

from curation.home import Home
from curation.ledger.tables import ClipRow, Video
from curation.media.settings import CutSettings
from curation.review.serve import entry_link, previews, serve
from shards.errors import BadInput

FIRST = "a" * 40
SERVE = """
import sys
from pathlib import Path
from curation.home import Home
from curation.media.settings import CutSettings
from curation.review.serve import serve
announce = lambda link: print(link, flush=True)
serve(Home(Path(sys.argv[1])), port=0, reviewer="ada", settings=CutSettings(), announce=announce)
"""


class TestPreviews:
    def test_a_preview_is_cut_when_it_is_first_asked_for(self, review_ledger, tmp_path):
        settings = CutSettings()
        made = previews(review_ledger, home=Home(tmp_path), settings=settings)(FIRST)
        with av.open(str(made)) as clip:
            assert abs(clip.duration / 1e6 - 2.0) < 0.1
        with review_ledger.session() as session:
            assert session.get_one(ClipRow, FIRST).cut == "ok"

    def test_a_clip_whose_video_is_gone_has_no_preview_and_says_why(self, review_ledger, tmp_path):
        with review_ledger.session() as session:
            session.get_one(Video, "video-0.5").path = str(tmp_path / "gone.mp4")
        assert previews(review_ledger, home=Home(tmp_path), settings=CutSettings())(FIRST) is None
        with review_ledger.session() as session:
            assert session.get_one(ClipRow, FIRST).cut == "file_missing"


class TestServing:
    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.org", ""])
    def test_only_the_loopback_is_served(self, tmp_path, host):
        with pytest.raises(BadInput, match="named users come in a later version"):
            serve(Home(tmp_path), host=host, reviewer="ada", settings=CutSettings(), announce=pytest.fail)

    def test_a_taken_port_is_said_to_be_taken(self, tmp_path):
        with (
            socket.create_server(("127.0.0.1", 0)) as taken,
            pytest.raises(BadInput, match="cannot be used"),
        ):
            port = taken.getsockname()[1]
            serve(Home(tmp_path), port=port, reviewer="ada", settings=CutSettings(), announce=pytest.fail)

    def test_a_port_that_cannot_be_is_refused(self, tmp_path):
        with pytest.raises(BadInput, match="must be 0-65535"):
            serve(Home(tmp_path), port=99_999, reviewer="ada", settings=CutSettings(), announce=pytest.fail)

    def test_an_ipv6_address_is_bracketed_in_the_link(self):
        assert entry_link("::1", 8420, "t") == "http://[::1]:8420/enter?token=t"

    def test_the_announced_link_opens_the_page_and_ctrl_c_stops_it_cleanly(self, tmp_path, review_ledger):
        command = [sys.executable, "-c", SERVE, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
            try:
                link = urlsplit(server.stdout.readline().strip())
                assert link.hostname == "127.0.0.1"
                assert FIRST in open_page(link)
                server.send_signal(signal.SIGINT)
                said, complaints = server.communicate(timeout=20)
            finally:
                server.kill()
        assert (server.returncode, said, complaints) == (0, "", "")


def open_page(link):
    """What a browser that opens the link reads in the end."""
    connection = HTTPConnection(link.hostname, link.port, timeout=20)
    connection.request("GET", f"{link.path}?{link.query}")
    entered = connection.getresponse()
    entered.read()
    cookie = entered.headers["set-cookie"].split(";")[0]
    connection.request("GET", entered.headers["location"], headers={"Cookie": cookie})
    page = connection.getresponse().read().decode()
    connection.close()
    return page
