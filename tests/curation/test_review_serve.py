"""Serving the review page: who may be served where, and previews that are cut on demand."""

import signal
import socket
import subprocess
import sys
from http.client import HTTPConnection
from urllib.parse import urlsplit

import av
import numpy as np
import pytest

from curation.home.folder import Home
from curation.home.takedown import take_down
from curation.ledger.tables import ClipRow
from curation.media.analyse import analyse
from curation.media.settings import CutSettings
from curation.review.access import add_account
from curation.review.listening import Place, entry_path, link
from curation.review.media import CutMedia
from curation.review.serve import serve
from curation.settings.recipe import Recipe
from shards.errors import BadInput

FIRST, SECOND = "a" * 40, "b" * 40
SERVE = """
import sys
from pathlib import Path
from curation.home.folder import Home
from curation.settings.recipe import Recipe
from curation.review.serve import Place, serve
announce = lambda link: print(link, flush=True)
serve(Home(Path(sys.argv[1])), reviewer="ada", recipe=Recipe(), announce=announce, place=Place(port=0))
"""


class TestPreviews:
    def test_a_preview_is_cut_when_it_is_first_asked_for(self, review_ledger, media):
        made = media.preview(FIRST)
        with av.open(str(made)) as clip:
            assert abs(clip.duration / 1e6 - 2.0) < 0.1
        with review_ledger.session() as session:
            assert session.get_one(ClipRow, FIRST).cut == "ok"

    def test_a_moved_sound_is_another_cut(self, media):
        here, there = media.preview(FIRST), media.preview(FIRST, sound_late_us=250_000)
        assert here != there
        curves = [line.waveform for line in (analyse(here), analyse(there))]
        late, rate_hz = 4000, 16_000
        assert np.corrcoef(curves[0][late : late + rate_hz], curves[1][:rate_hz])[0, 1] > 0.9

    def test_trying_where_the_sound_belongs_does_not_fill_the_disk(self, review_ledger, tmp_path, media_workers):
        media = CutMedia(
            review_ledger, home=Home(tmp_path), settings=CutSettings(), workers=media_workers, moved_cap_bytes=1
        )
        whole = media.preview(FIRST)
        moved = [media.preview(FIRST, sound_late_us=late_us) for late_us in (10_000, 20_000, 30_000)]
        assert [one.is_file() for one in moved] == [False, False, True]
        assert [one.name for one in moved[-1].parent.iterdir()] == [moved[-1].name], "and nothing beside it"
        assert whole.is_file(), "what is published is no part of that"
        assert media.preview(FIRST, sound_late_us=30_000) == moved[-1]
        assert media.preview(FIRST, sound_late_us=0) == whole

    def test_a_take_down_takes_what_was_tried_as_well(self, review_ledger, tmp_path, media):
        moved = media.preview(FIRST, sound_late_us=10_000)
        take_down(review_ledger, FIRST, home=Home(tmp_path), reason="a test")
        assert not moved.exists()

    def test_a_sound_that_cannot_be_moved_has_no_preview(self, media):
        assert media.preview(SECOND, sound_late_us=10_000) is None

    def test_a_clip_whose_video_is_gone_has_no_preview_and_says_why(self, review_ledger, media):
        assert media.preview(SECOND) is None and media.curves(SECOND) is None
        with review_ledger.session() as session:
            assert session.get_one(ClipRow, SECOND).cut == "file_missing"

    def test_an_unknown_clip_has_none(self, media):
        assert media.preview("nothing") is None

    def test_the_curves_lie_on_the_clip_s_own_clock_and_are_kept(self, media):
        curves = media.curves(FIRST)
        assert curves["duration_s"] == pytest.approx(2.0, abs=0.05)
        assert curves["frames_s"][0] == 0 and len(curves["frames_s"]) == 48
        assert len(curves["peaks"]) == pytest.approx(2 * curves["peaks_hz"], abs=10)
        assert 0 < max(curves["peaks"]) <= 1 and max(curves["motion"]) <= 1
        assert media.preview(FIRST).with_suffix(".curves.json").is_file() and media.curves(FIRST) == curves


class TestServing:
    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.org", ""])
    def test_other_machines_are_served_only_where_people_are_asked_who_they_are(self, tmp_path, host):
        with pytest.raises(BadInput, match="nobody would be asked who they are") as caught:
            start(tmp_path, Place(host=host))
        assert "clapboard review account add" in caught.value.remedy

    def test_a_header_without_a_proxy_s_address_is_refused(self, tmp_path):
        with pytest.raises(BadInput, match="a header alone proves nothing"):
            start(tmp_path, Place(host="0.0.0.0", proxy_header="X-User", proxy_secret="s" * 16))

    def test_a_proxy_without_a_secret_is_refused_and_told_how_to_get_one(self, tmp_path):
        place = Place(host="0.0.0.0", proxy_header="X-User", proxies=("127.0.0.1",))
        with pytest.raises(BadInput, match="shows a secret") as caught:
            start(tmp_path, place)
        assert "openssl rand" in caught.value.remedy and "X-Clapboard-Proxy-Secret" in caught.value.remedy

    @pytest.mark.parametrize("name", ["http://reviews.example", "reviews.example/page", "", "a b@c"])
    def test_a_name_that_is_none_is_refused(self, tmp_path, name):
        with pytest.raises(BadInput, match="is no host name"):
            start(tmp_path, Place(port=0, names=(name,)))

    def test_a_team_on_the_network_without_https_is_warned_before_the_link(self, tmp_path):
        with Home(tmp_path).ledger() as ledger:
            add_account(ledger, "ada", "correct horse battery")
        said = self.served(tmp_path, Place(host="0.0.0.0", port=0))
        assert "unencrypted" in said[0] and "--tls-certificate" in said[0] and said[1].startswith("http://")

    def test_a_team_on_this_machine_is_not(self, tmp_path):
        with Home(tmp_path).ledger() as ledger:
            add_account(ledger, "ada", "correct horse battery")
        [said] = self.served(tmp_path, Place(port=0))
        assert said.startswith("http://127.0.0.1")

    def served(self, folder, place):
        """What a server says before it serves; it is stopped there."""
        said = []

        def announce(line):
            said.append(line)
            raise InterruptedError

        with pytest.raises(InterruptedError):
            serve(Home(folder), reviewer="ada", recipe=Recipe(), announce=announce, warn=said.append, place=place)
        return said

    def test_a_taken_port_is_said_to_be_taken(self, tmp_path):
        with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(BadInput, match="cannot be used"):
            start(tmp_path, Place(port=taken.getsockname()[1]))

    def test_a_port_that_cannot_be_is_refused(self, tmp_path):
        with pytest.raises(BadInput, match="must be 0-65535"):
            start(tmp_path, Place(port=99_999))

    def test_an_ipv6_address_is_bracketed_in_the_link(self):
        assert link(Place(host="::1"), 8420, entry_path("t")) == "http://[::1]:8420/enter?token=t"

    def test_the_announced_link_opens_the_page_and_ctrl_c_stops_it_cleanly(self, tmp_path, review_ledger):
        command = [sys.executable, "-c", SERVE, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
            try:
                opened = urlsplit(server.stdout.readline().strip())
                assert opened.hostname == "127.0.0.1"
                assert 'content="ada"' in open_page(opened)
                server.send_signal(signal.SIGINT)
                said, complaints = server.communicate(timeout=20)
            finally:
                server.kill()
        assert (server.returncode, said, complaints) == (0, "", "")


def start(folder, place):
    serve(Home(folder), reviewer="ada", recipe=Recipe(), announce=pytest.fail, place=place)


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
