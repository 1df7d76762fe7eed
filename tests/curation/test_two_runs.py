"""Two processes that work on one home at once, as Prefect runs on two workers may: nothing is lost or done twice."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from curation.fetch.download import fetch
from curation.fetch.failures import FetchFailure
from curation.fetch.settings import FetchSettings
from curation.home.claims import claimed
from curation.home.folder import Home
from curation.ledger.tables import Video
from curation.outcomes import Outcome
from curation.sources.base import SourceRow
from curation.steps.ingest import fetch_video, register, videos_to_fetch
from tests.curation import fetch_server as web
from tests.waiting import until

FILM = b"\0\0\0\x18ftypmp42" + bytes(200_000)
FETCH = """
import sys
from pathlib import Path
from curation.fetch.settings import FetchSettings
from curation.home.folder import Home
from curation.steps.ingest import fetch_video

home = Home(Path(sys.argv[1]))
with home.ledger() as ledger:
    print(fetch_video(ledger, sys.argv[2], home=home, settings=FetchSettings(allow_loopback=True, retries=0)))
"""


@pytest.fixture
def server():
    with web.serve() as running:
        yield running


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.delenv("CLAPBOARD_LEDGER", raising=False)
    return Home(tmp_path / "home")


def listed(ledger, link):
    """A row of a table with that link; returns its video's id."""
    facts = {"path": None, "start_us": None, "end_us": None, "caption": "", "label": "", "licence": ""}
    register(ledger, [SourceRow(link=link, table="t.csv", row=1, **facts)])
    return videos_to_fetch(ledger)[0]


def start(home, video_id):
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, str(home.root), video_id],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def waits_for_a_lock(process):
    locks = Path("/proc/locks").read_text().splitlines()
    return any("->" in line and "FLOCK" in line and f" {process.pid} " in line for line in locks)


@pytest.mark.skipif(not Path("/proc/locks").is_file(), reason="the system does not say who waits for a lock")
@pytest.mark.parametrize("killed", [False, True], ids=["done", "killed"])
def test_of_two_runs_one_fetches_a_video_and_the_other_finds_it(server, home, killed):
    begun, go_on = threading.Event(), threading.Event()

    def slowly(request):
        """The second half of the bytes waits for the word to go on."""
        whole = request.headers.get("Range") is None
        request.send_response(200 if whole else 206)
        first = 0 if whole else int(request.headers["Range"].removeprefix("bytes=").split("-")[0])
        request.send_header("Content-Type", "video/mp4")
        request.send_header("Content-Length", str(len(FILM) - first))
        if not whole:
            request.send_header("Content-Range", f"bytes {first}-{len(FILM) - 1}/{len(FILM)}")
        request.end_headers()
        half = max(first, len(FILM) // 2)
        request.wfile.write(FILM[first:half])
        begun.set()
        go_on.wait(60)
        request.wfile.write(FILM[half:])

    with home.ledger() as ledger:
        video_id = listed(ledger, server.link("/film.mp4", slowly))
        one = start(home, video_id)
        assert begun.wait(60)
        other = start(home, video_id)
        until(lambda: waits_for_a_lock(other) or len(server.asked) > 2)
        if killed:
            one.kill()
        go_on.set()
        said = [process.communicate(timeout=60) for process in (one, other)]
        with ledger.session() as session:
            video = session.get_one(Video, video_id)
            assert video.fetch == Outcome.OK and Path(video.path).read_bytes() == FILM, said
    assert other.returncode == 0 and said[1][0] == "ok\n", said
    assert killed or (said[0][0] == "ok\n" and len(server.asked) == 2), (said, server.asked)
    assert [path.name for path in home.videos.iterdir()] == [f"{video_id}.mp4"]


def test_a_list_that_is_out_of_date_asks_for_nothing_that_came_meanwhile(server, home):
    settings = FetchSettings(allow_loopback=True, retries=0)
    with home.ledger() as ledger:
        video_id = listed(ledger, server.link("/film.mp4", web.body(FILM)))
        for _ in range(2):
            assert fetch_video(ledger, video_id, home=home, settings=settings) is Outcome.OK
        assert len(server.asked) == 2


def test_a_site_that_does_not_answer_now_costs_no_file_that_came_before(server, tmp_path):
    settings = FetchSettings(allow_loopback=True, retries=0)
    link = server.link("/film.mp4", web.body(FILM))
    path = fetch(link, into=tmp_path, name="film", settings=settings).path
    server.link("/film.mp4", web.status(503))
    with pytest.raises(FetchFailure):
        fetch(link, into=tmp_path, name="film", settings=settings)
    assert path.read_bytes() == FILM


def test_a_claim_is_held_by_one_at_a_time_and_leaves_nothing(tmp_path):
    held, most = [0], [0]

    def work():
        for _ in range(50):
            with claimed(tmp_path / "claim"):
                held[0] += 1
                most[0] = max(most[0], held[0])
                held[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] and list(tmp_path.iterdir()) == []
