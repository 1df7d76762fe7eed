"""Lists are asked for as politely as videos: a token, pauses between pages, and a site that refuses is left alone."""

import importlib.util
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from curation.fetch.failures import FetchFailure
from curation.fetch.governor import Governor
from curation.fetch.listing import entries, files_at
from curation.fetch.settings import FetchSettings
from curation.ledger.tables import SourceEntry
from curation.outcomes import Outcome
from curation.sources.base import RowFault
from curation.sources.lists import place_of
from curation.sources.read import iter_sources
from curation.steps.ingest import register
from curation.steps.politeness import governor_of, lists_to_read_again, seconds_to_next_try

spec = importlib.util.spec_from_file_location("fetch_server", Path(__file__).with_name("fetch_server.py"))
web = importlib.util.module_from_spec(spec)
sys.modules["fetch_server"] = web
spec.loader.exec_module(web)

SETTINGS = FetchSettings(allow_loopback=True, timeout_s=3, retries=0)
PAUSE_S = 2.0
PAGES = 6


class Clock:
    """A clock that only sleeping moves, and all the pauses that were slept."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.pauses: list[float] = []
        self.interrupted = False

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        if self.interrupted:
            raise KeyboardInterrupt
        self.now += seconds
        self.pauses.append(round(seconds, 3))


@pytest.fixture(scope="module")
def server():
    with web.serve() as running:
        yield running


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def governor(clock):
    """A governor to which this machine is a site like any other."""
    return Governor(
        videos_per_hour=3600, pause_s=PAUSE_S, cool_s=600, spare_loopback=False, clock=clock, sleep=clock.sleep
    )


@pytest.fixture
def feed(server):
    items = "".join(f"<item><title>film {n}</title><link>{server.base_url}/{n}.mp4</link></item>" for n in range(3))
    return f'<?xml version="1.0"?><rss version="2.0"><channel><title>t</title>{items}</channel></rss>'.encode()


def folder_of_pages(server, name, *, last=None):
    """A web folder whose listing has a folder in each folder; `last` is how the innermost one answers."""
    path = f"/{name}/"
    for number in range(PAGES):
        below = f'<a href="a{number}.mp4">a</a><a href="deeper/">d</a>'
        is_last = number == PAGES - 1
        server.link(path, last if is_last and last else web.body(below.encode(), "text/html"))
        path += "deeper/"
    return f"{server.base_url}/{name}/"


def refused(work):
    with pytest.raises(FetchFailure) as caught:
        work()
    return caught.value


ELSEWHERE = (
    "s3://bucket/a.mp4", "gs://bucket/a.mp4", "file:///etc/passwd", "/etc/passwd", "ftp://example.org/a.mp4",
    "http://169.254.169.254/a.mp4", "http://%31%30.0.0.1/a.mp4", "http://user:secret@example.org/a.mp4",
)  # fmt: skip


def test_what_a_list_names_is_checked_as_a_typed_link_and_a_fault_where_it_leads_elsewhere(server, any_ledger):
    """An object would be read with this machine's own credentials."""
    items = "".join(f"<item><title>t</title><link>{one}</link></item>" for one in ELSEWHERE)
    good = f"<item><title>good</title><link>http://127.0.0.1:{server.port}/%61.mp4</link></item>"
    feed = f'<rss version="2.0"><channel><title>t</title>{items}{good}</channel></rss>'.encode()
    source = f"list:{server.link('/elsewhere.xml', web.body(feed, 'application/rss+xml'))}"
    *faults, row = iter_sources([source], fetch=SETTINGS)
    assert {type(one) for one in faults} == {RowFault} and len(faults) == len(ELSEWHERE)
    assert {one.outcome for one in faults} <= {Outcome.BAD_LINK, Outcome.BLOCKED_ADDRESS}
    assert faults[0].detail.startswith("s3://bucket/a.mp4: ")
    assert row.link == f"http://127.0.0.1:{server.port}/%61.mp4"


def test_pages_of_a_list_come_with_pauses_between_them(server, governor, clock):
    link = folder_of_pages(server, "paced", last=web.body(b"", "text/html"))
    found = files_at(link, SETTINGS, most=100, governor=governor)
    assert len(found) == PAGES - 1
    assert clock.pauses == [PAUSE_S] * (PAGES - 1)


def test_a_list_takes_one_token_of_those_that_its_videos_take(server, feed, clock):
    governor = Governor(videos_per_hour=1, spare_loopback=False, clock=clock, sleep=clock.sleep)
    link = server.link("/token.xml", web.body(feed, "application/rss+xml"))
    assert len(entries(link, SETTINGS, most=10, governor=governor)) == 3
    assert governor.wait(link) == pytest.approx(3600)


def test_this_machine_is_spared_as_in_a_fetch(server, clock):
    governor = Governor(videos_per_hour=1, pause_s=60, clock=clock, sleep=clock.sleep)
    files_at(folder_of_pages(server, "spared", last=web.body(b"", "text/html")), SETTINGS, most=100, governor=governor)
    assert clock.pauses == []


@pytest.mark.parametrize("ask", [entries, files_at])
def test_a_site_that_turns_lists_away_is_left_alone_and_asked_again_later(server, feed, governor, clock, ask):
    path = f"/busy-{ask.__name__}/"
    link = server.link(path, web.status(429))
    failures = [refused(lambda: ask(link, SETTINGS, most=10, governor=governor)) for _ in range(5)]
    assert {failure.outcome for failure in failures} == {Outcome.RATE_LIMITED}
    assert server.count(path) == 3, "the circuit opens after three"
    assert [failure.asked for failure in failures] == [True] * 3 + [False] * 2
    until_s = failures[-1].retry_at.timestamp()
    assert clock.now < until_s <= clock.now + 600
    clock.now = until_s + 1
    page = b'<a href="a.mp4">a</a>' if ask is files_at else feed
    server.link(path, web.body(page, "text/html" if ask is files_at else "application/rss+xml"))
    assert ask(link, SETTINGS, most=10, governor=governor)
    assert ask(link, SETTINGS, most=10, governor=governor), "and all go on"


def test_a_page_in_the_middle_that_names_its_own_time_stops_the_list_until_then(server, governor, clock):
    def busy(request):
        request.send_response(429)
        request.send_header("Retry-After", "1200")
        request.send_header("Content-Length", "0")
        request.end_headers()

    link = folder_of_pages(server, "midway", last=busy)
    failure = refused(lambda: files_at(link, SETTINGS, most=100, governor=governor))
    assert failure.retry_at.timestamp() == clock.now + 1200
    assert not refused(lambda: governor.wait(link)).asked, "its videos are left alone, too"


def test_a_list_that_is_broken_off_lets_another_one_try_the_site(server, governor, clock):
    link = folder_of_pages(server, "probe", last=web.body(b"", "text/html"))
    for _ in range(3):
        governor.wait(link)
        governor.tell(link, Outcome.BOT_WALL)
    clock.now += 601
    clock.interrupted = True
    with pytest.raises(KeyboardInterrupt):
        files_at(link, SETTINGS, most=100, governor=governor)
    clock.interrupted = False
    assert len(files_at(link, SETTINGS, most=100, governor=governor)) == PAGES - 1


class TestOverRestarts:
    @pytest.fixture
    def source(self, server):
        return f"prefix:{server.link('/waits/', web.status(429))}"

    def read(self, ledger, source, governor):
        """What a run does with its sources."""
        register(ledger, iter_sources([source], fetch=SETTINGS, governor=governor))

    def rows(self, ledger):
        with ledger.session() as session:
            return [(one.outcome, one.retry_at) for one in session.scalars(select(SourceEntry))]

    def test_a_list_that_waits_says_until_when_and_its_fault_goes_when_it_is_read(
        self, any_ledger, server, source, governor, clock
    ):
        # The ledger tells past from future by the real clock.
        clock.now = datetime.now(UTC).timestamp()
        for _ in range(4):
            self.read(any_ledger, source, governor)
        ((outcome, retry_at),) = self.rows(any_ledger)
        assert outcome == Outcome.RATE_LIMITED
        assert retry_at is not None
        assert 0 < seconds_to_next_try(any_ledger, [source]) <= 660
        assert seconds_to_next_try(any_ledger) is None, "a run of other sources does not wait for it"
        assert lists_to_read_again(any_ledger, [source]) == []

        server.link("/waits/", web.body(b'<a href="a.mp4">a</a>', "text/html"))
        clock.now += 602
        self.read(any_ledger, source, governor)
        assert self.rows(any_ledger) == [(Outcome.OK, None)]

    def test_the_next_run_leaves_its_site_alone(self, any_ledger):
        later = datetime.now(UTC) + timedelta(hours=1)
        for source, outcome in (
            ("ytsearch5:drum", Outcome.RATE_LIMITED),
            ("list:https://v.example/x", Outcome.BOT_WALL),
        ):
            register(any_ledger, [RowFault(source, 0, outcome, "", later)])
        governor = governor_of(any_ledger, FetchSettings())
        for link in ("https://youtu.be/jNQXAC9IVRw", "https://v.example/1"):
            assert not refused(lambda link=link: governor.wait(link)).asked
        assert governor.wait("https://other.example/") == 0

    def test_a_list_whose_time_has_come_is_read_again(self, any_ledger):
        past = datetime.now(UTC) - timedelta(minutes=1)
        register(any_ledger, [RowFault("list:https://v.example/x", 0, Outcome.RATE_LIMITED, "", past)])
        assert lists_to_read_again(any_ledger, ["list:https://v.example/x", "t.csv"]) == ["list:https://v.example/x"]

    def test_what_is_wrong_with_a_list_for_good_is_not_forgotten(self, any_ledger):
        faults = [RowFault("t.csv", 0, Outcome.MISSING_COLUMN, ""), RowFault("t.csv", 5, Outcome.BAD_LINE, "")]
        register(any_ledger, [*faults, RowFault("t.csv", 0, Outcome.UNREACHABLE, "")])
        register(any_ledger, faults)
        assert {outcome for outcome, _ in self.rows(any_ledger)} == {Outcome.MISSING_COLUMN, Outcome.BAD_LINE}


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("ytsearchdate5:a b", "https://www.youtube.com/"),
        ("list:ytsearch:a", "https://www.youtube.com/"),
        ("list:https://v.example/x", "https://v.example/x"),
        ("prefix:https://v.example/films/", "https://v.example/films/"),
        ("oddsearch5:a", None),
    ],
)
def test_where_a_list_lies_is_known_by_its_name(source, place):
    assert place_of(source) == place
