"""Whatever a stranger's page or manifest makes yt-dlp do ends with a typed outcome, in a process that can be killed."""

import importlib.util
import os
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from curation.fetch.cage import CAGES
from curation.fetch.cookies import MAX_COOKIES_BYTES, read_cookies
from curation.fetch.download import _own, failure_told, fetch
from curation.fetch.failures import FetchFailure
from curation.fetch.listing import _pairs, entries, files_at
from curation.fetch.manifest import PageTooLarge, check_page
from curation.fetch.settings import FetchSettings
from curation.fetch.site import SiteFacts, believed
from curation.media.wire import WireError
from curation.outcomes import Outcome
from shards.errors import BadInput
from tests.curation.hostile import write
from tests.waiting import children, command_line

spec = importlib.util.spec_from_file_location("fetch_server", Path(__file__).with_name("fetch_server.py"))
web = importlib.util.module_from_spec(spec)
sys.modules["fetch_server"] = web
spec.loader.exec_module(web)

MIB = 1 << 20
SLOW = b"<html>" + b"<meta " * (1 << 17)
"""A page that yt-dlp's regular expressions read for hours."""


@pytest.fixture(scope="module")
def server():
    with web.serve() as running:
        yield running


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return write(tmp_path_factory.mktemp("cage") / "film.mp4").read_bytes()


@pytest.fixture
def get(tmp_path):
    def fetch_it(link, name="video", **settings):
        chosen = FetchSettings(**{"allow_loopback": True, "timeout_s": 5, "retries": 0, **settings})
        return fetch(link, into=tmp_path, name=name, settings=chosen)

    return fetch_it


@pytest.fixture
def refused(get):
    def fail(link, **settings):
        with pytest.raises(FetchFailure) as caught:
            get(link, **settings)
        return caught.value

    return fail


@pytest.fixture
def growth_mib():
    """By how much this process has grown since the test began."""

    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MIB

    before = resident()
    return lambda: resident() - before


def cages_at_work():
    """Process ids of the cages of this process."""
    return {pid for pid in children(os.getpid()) if b"curation.fetch.worker" in command_line(pid)}


def test_a_page_that_takes_for_ever_to_read_holds_up_nothing_else(server, film, get, refused):
    CAGES.close()
    slow, good = server.link("/slow", web.body(SLOW, "text/html")), server.link("/good.mp4", web.body(film))
    ended = []
    thread = threading.Thread(target=lambda: ended.append(refused(slow, name="slow", deadline_s=600)))
    thread.start()
    for number in range(3):
        assert get(good, name=f"good{number}").path.read_bytes() == film
    assert ended == [], "the slow one is still read while others come and go"
    (busy,) = cages_at_work() - set(CAGES.pids())
    os.kill(busy, signal.SIGKILL)
    thread.join()
    assert ended[0].outcome is Outcome.TOO_MUCH_MEMORY, "nobody else kills processes"


def test_a_page_that_takes_for_ever_to_read_is_ended_at_the_deadline_and_its_process_reaped(server, film, get, refused):
    failure = refused(server.link("/slow-again", web.body(SLOW, "text/html")), deadline_s=1)
    assert (failure.outcome, failure.retry) == (Outcome.TIMED_OUT, True), failure.detail
    assert cages_at_work() == set(CAGES.pids())
    assert get(server.link("/next.mp4", web.body(film))).path.read_bytes() == film


def test_a_cage_that_died_while_it_waited_costs_no_video(server, film, get):
    link = server.link("/waited.mp4", web.body(film))
    get(link, name="before")
    for pid in CAGES.pids():
        handle = os.pidfd_open(pid)
        os.kill(pid, signal.SIGKILL)
        assert select.select([handle], [], [], 20)[0]
        os.close(handle)
    assert get(link, name="after").path.read_bytes() == film


def test_processor_time_has_a_limit_of_its_own(server, refused):
    failure = refused(server.link("/busy", web.body(SLOW, "text/html")), cpu_s=0.1)
    assert failure.outcome is Outcome.TIMED_OUT and "processor time" in failure.detail


MANIFEST = (
    '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="{}"><Period><AdaptationSet '
)
SET = (
    'mimeType="video/mp4"><Representation id="v" bandwidth="1" codecs="avc1.64000a">{}</Representation></AdaptationSet>'
)
LINE = '<SegmentTimeline><S t="0" d="1" r="{}"/></SegmentTimeline>'


def dash(template, duration="PT5S"):
    return (MANIFEST.format(duration) + SET.format(template) + "</Period></MPD>").encode()


def template(extra, inner="", media="$Number$.m4s"):
    return f'<SegmentTemplate timescale="1" media="{media}" initialization="i" {extra}>{inner}</SegmentTemplate>'


BOMBS = {
    "more segments than a repeat may stand for": (dash(template("", LINE.format(50_000_000))), Outcome.TOO_LARGE),
    "a number of a billion digits": (dash(template('duration="1"', media="$Number%0999999999d$")), Outcome.TOO_LARGE),
    "segments of a second for a year": (dash(template('duration="1"'), "PT50000000S"), Outcome.TOO_MUCH_MEMORY),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_manifest_of_some_hundred_bytes_costs_this_process_nothing(server, refused, growth_mib, name):
    data, outcome = BOMBS[name]
    failure = refused(server.link("/bomb.mpd", web.body(data, "application/dash+xml")), memory_gib=0.4)
    assert failure.outcome is outcome, failure.detail
    assert growth_mib() < 50


@pytest.mark.parametrize(
    ("manifest", "fault"),
    [
        (b"#EXTM3U\n" + b"#EXTINF:1,\na\n" * 200_001, "segments"),
        (b"#EXTM3U\n" + b"#EXT-X-STREAM-INF:BANDWIDTH=1\na\n" * 1001, "variants"),
        (b"#EXTM3U\n" + bytes(9 * MIB), "larger than"),
        (b"<SmoothStreamingMedia><c r='0000000300000'/>", "names"),
        (b'<SmoothStreamingMedia><c t="0" r = "99999999999"/>', "millions"),
        (b"<?xml?><MPD>" + b"<Period></Period>" * 1001, "variants"),
        # The same in other writings of XML, which a parser reads alike.
        (b"<MPD><S r='&#53;&#x30;000000&#48;'/>", "millions"),
        (b"<MPD><a media='&#36;Number%0&#57;99d&#x24;'/>", "longer than any name"),
        ("\ufeff<?xml version='1.0' encoding='utf-16'?><MPD><S r='99999999'/>".encode("utf-16-le"), "millions"),
        ("<MPD><S r='99999999'/>".encode("utf-16-be"), "millions"),
        (b"<?xml?><!DOCTYPE MPD [<!ENTITY n '99999999'>]><MPD><S r='&n;'/>", "stand for others"),
        (b"<?xml?><x:mpd xmlns:x='urn'><x:S r='99999999'/>", "millions"),
        (b"<MPD>" + b"<x:SegmentURL/>" * 200_001, "segments"),
        (b"<?xml?><!--" + b"x" * 3000 + b"--><MPD><S r='99999999'/>", "millions"),
    ],
)
def test_a_manifest_that_stands_for_more_than_a_video_has_is_refused(manifest, fault):
    with pytest.raises(PageTooLarge, match=fault):
        check_page(manifest)
    with pytest.raises(PageTooLarge, match=fault):
        check_page(manifest[50:], head=manifest[:50])


def test_a_page_and_a_long_manifest_are_as_they_are():
    day = b"#EXTM3U\n" + b"#EXTINF:2,\nsegment-00001.ts\n" * 43_200
    page = b"<html>" + b"<S r='99999999'>" * 1000
    written = b"<MPD mediaPresentationDuration='PT5S'><Title>caf&#xe9; &#38; bar</Title><S r='5'/>"
    assert (check_page(day), check_page(page), check_page(written)) == (day, page, written)


def test_a_playlist_that_does_not_count_from_zero_is_not_taken_for_a_live_one_when_it_is_broken(server, refused):
    keyed = b'#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-KEY:METHOD=AES-128,URI="a.key"\n'
    lines = keyed + b"#EXTINF:1,\nnoise.ts\n#EXT-X-ENDLIST\n"
    server.link("/a.key", web.body(bytes(16)))
    server.link("/noise.ts", web.body(bytes(17)))
    failure = refused(server.link("/seven.m3u8", web.body(b"#EXTM3U\n" + lines, "application/x-mpegurl")))
    assert failure.outcome is Outcome.FETCH_FAILED and "padded" in failure.detail


@pytest.mark.parametrize(
    "page", [b"<" * (4 * MIB), b"<x:" * MIB, b"<MPD>" + b"&#48;" * MIB, b"<a.<a" * MIB, b"<\0" * MIB]
)
def test_looking_at_a_page_takes_no_longer_than_reading_it(page):
    begun = time.process_time()
    check_page(page)
    assert time.process_time() - begun < 5


def test_metadata_of_megabytes_is_cut_down(server, film, get, growth_mib):
    server.link("/long.mp4", web.body(film))
    title = "x" * (2 * MIB)
    page = f'<html><meta property="og:title" content="{title}"><title>a</title><video src="long.mp4"></video>'
    facts = get(server.link("/long.html", web.body(page.encode(), "text/html"))).metadata
    assert facts.title is None or len(facts.title) <= 500
    assert growth_mib() < 50


def test_two_mebibytes_under_aes_are_decrypted_at_once(server, refused):
    playlist = (
        '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-KEY:METHOD=AES-128,URI="k"\n#EXTINF:1,\naes.ts\n#EXT-X-ENDLIST\n'
    )
    server.link("/k", web.body(bytes(16), "application/octet-stream"))
    server.link("/aes.ts", web.body(os.urandom(2 * MIB), "video/mp2t"))
    failure = refused(server.link("/aes.m3u8", web.body(playlist.encode(), "application/x-mpegurl")), cpu_s=5)
    assert failure.outcome is Outcome.NOT_A_VIDEO, "noise decrypts to noise; in Python alone it took 40 s"


def test_a_list_is_read_in_a_cage_too(server):
    settings = FetchSettings(allow_loopback=True, retries=0, deadline_s=1)
    feed = b'<rss version="2.0"><channel>' + b"<item><link>http://127.0.0.1/a.mp4</link></item>" * 200_000
    for ask, link in (
        (entries, server.link("/slow-list", web.body(SLOW, "text/html"))),
        (entries, server.link("/endless-list", web.endless(feed, server, kind="application/rss+xml"))),
        (files_at, server.link("/endless/", web.endless(b'<a href="a.mp4">', server, kind="text/html"))),
    ):
        with pytest.raises(FetchFailure) as caught:
            ask(link, settings, most=10)
        assert caught.value.outcome in (Outcome.TIMED_OUT, Outcome.TOO_LARGE), caught.value.detail


def test_a_listing_that_makes_a_regular_expression_slow_is_read(server):
    page = b"<a " * MIB + b'<a href="a.mp4">a</a>'
    found = files_at(server.link("/slow/", web.body(page, "text/html")), FetchSettings(allow_loopback=True), most=10)
    assert found == [f"{server.base_url}/slow/a.mp4"]


def test_a_cage_has_no_network_no_secrets_and_no_open_files_of_ours(server, film, get, monkeypatch, tmp_path):
    CAGES.close()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("CLAPBOARD_LEDGER", "postgresql://me:secret@db/ledger")
    with (tmp_path / "ledger.sqlite").open("w"):
        get(server.link("/bare.mp4", web.body(film)))
    (cage,) = CAGES.pids()
    environment = Path(f"/proc/{cage}/environ").read_bytes()
    assert b"secret" not in environment and b"AWS" not in environment and b"CLAPBOARD" not in environment
    assert not any("ledger" in str(one.readlink()) for one in Path(f"/proc/{cage}/fd").iterdir())
    if subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode == 0:
        assert Path(f"/proc/{cage}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()


@pytest.mark.parametrize(
    "event", ["subprocess.run(['true'])", "os.system('true')", "os.posix_spawn('/bin/true', ['true'], {})"]
)
def test_no_program_can_be_started_in_a_cage(event):
    code = f"import os, subprocess; from curation.fetch.worker import STARTING, forbid; forbid(STARTING); {event}"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "is not allowed here" in ran.stderr


def test_a_thread_that_is_confined_opens_its_own_folder_and_nothing_else(tmp_path):
    for name in ("own", "home"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("words")
    code = textwrap.dedent(f"""
        import os, sys, threading
        from pathlib import Path
        from curation.fetch.worker import _readable
        from curation.media.confine import limit
        from curation.media.landlock import only_files
        home, own = Path({str(tmp_path)!r}, "home", "file"), Path({str(tmp_path)!r}, "own", "file")
        sys.path[:] = [one for one in sys.path if not str(home).startswith(one or os.getcwd())]

        def tried(work):
            try:
                return work()
            except PermissionError:
                return "refused"

        def work():
            confined = only_files(read=_readable(), write=[own.parent])
            told = [home.read_text, lambda: home.write_text("x"), home.unlink, own.read_text]
            print(confined, *map(tried, told), tried(lambda: own.write_text("more")))

        limit(memory_bytes=1 << 40, file_bytes=1 << 40)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        print(home.read_text())
    """)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    if ran.stdout.startswith("False"):
        pytest.skip("this kernel has no Landlock")
    assert ran.stdout.split() == ["True", "refused", "refused", "refused", "words", "4", "words"], ran.stderr


def test_a_cage_cannot_read_what_else_this_user_owns(server, film, get, tmp_path_factory):
    """A part that is a link to a file of ours is not written through."""
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "key"
    elsewhere.write_text("secret")
    if subprocess.run([sys.executable, "-c", LANDLOCK], check=False, timeout=60).returncode:
        pytest.skip("this kernel has no Landlock")
    into = tmp_path_factory.mktemp("into")
    (into / "video.mp4.part").symlink_to(elsewhere)
    settings = FetchSettings(allow_loopback=True, retries=0)
    try:
        fetch(server.link("/through.mp4", web.body(film, tagged=False)), into=into, name="video", settings=settings)
    except FetchFailure as failure:
        assert failure.outcome is not Outcome.OK
    assert elsewhere.read_text() == "secret"


def test_a_certificate_that_nobody_vouches_for_is_told_from_other_trouble(tmp_path, refused):
    """So a cage can read what this machine trusts."""
    pem = tmp_path / "own.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"]
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    subprocess.run([*command, "-keyout", str(pem), "-out", f"{pem}.cert"], check=True, capture_output=True, timeout=60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{pem}.cert", pem)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer():
            with suppress(OSError), context.wrap_socket(listening.accept()[0], server_side=True) as one:
                one.recv(1)

        thread = threading.Thread(target=answer)
        thread.start()
        failure = refused(f"https://localhost:{listening.getsockname()[1]}/film.mp4")
        thread.join()
    assert failure.outcome is Outcome.TLS_FAILED, failure.detail


LANDLOCK = "import sys; from curation.media.landlock import only_files; from curation.media.confine import limit; \
limit(memory_bytes=1 << 40, file_bytes=1 << 40); sys.exit(not only_files(read=[], write=[]))"


@pytest.mark.parametrize("event", ["create_connection(('127.0.0.1', 9))", "getaddrinfo('a.example', 80)"])
def test_no_connection_can_be_made_past_the_line(event):
    code = f"import socket; from curation.fetch.worker import CONNECTING, forbid; forbid(CONNECTING); socket.{event}"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "is not allowed here" in ran.stderr


def test_a_cage_serves_many_videos_and_those_of_other_limits_have_another(server, film, get):
    CAGES.close()
    link = server.link("/many.mp4", web.body(film))
    for number in range(3):
        get(link, name=f"many{number}")
    assert len(CAGES.pids()) == 1
    get(link, name="other", memory_gib=0.9)
    assert len(CAGES.pids()) == 2
    CAGES.close()
    assert cages_at_work() == set()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_when_the_parent_dies(server, film, tmp_path, number):
    program = textwrap.dedent(f"""
        import signal
        from pathlib import Path
        from curation.fetch.cage import CAGES
        from curation.fetch.download import fetch
        from curation.fetch.settings import FetchSettings
        settings, link = FetchSettings(allow_loopback=True), {server.link("/left.mp4", web.body(film))!r}
        fetch(link, into=Path({str(tmp_path)!r}), name="left", settings=settings)
        print(*CAGES.pids(), flush=True)
        signal.pause()
    """)
    (tmp_path / "tmp").mkdir()
    environment = os.environ | {"TMPDIR": str(tmp_path / "tmp")}
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment)
    handle = os.pidfd_open(int(parent.stdout.readline()))
    parent.send_signal(number)
    parent.wait()
    parent.stdout.close()
    # The handle becomes readable when the cage has ended.
    assert select.select([handle], [], [], 20)[0]
    os.close(handle)
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    "told",
    [
        "../up.mp4",
        "other.mp4",
        "video",
        "/etc/passwd",
        "video./x",
        "video.mp4\n",
        "video..",
        5,
        None,
        "video." + "a" * 99,
    ],
)
def test_a_cage_can_name_no_file_but_its_own(told, tmp_path):
    with pytest.raises(WireError):
        _own(told, tmp_path, "video")


def test_a_link_in_the_place_of_a_file_is_not_followed(tmp_path):
    (tmp_path / "video.mp4").symlink_to("/etc/passwd")
    with pytest.raises(WireError, match="link"):
        _own("video.mp4", tmp_path, "video")


def test_what_a_cage_says_of_a_site_is_believed_only_as_far_as_it_can_be():
    told = {
        "title": "a\x1b[2J\nb\u202e" + "x" * 9999,
        "uploader": 5,
        "duration_s": "long",
        "version": "9" * 99,
        "more": [],
    }
    facts = believed(told)
    assert facts.title.startswith("a [2J b x") and len(facts.title) <= 500
    assert (facts.uploader, facts.duration_s, facts.downloader) == (None, None, "yt-dlp " + "9" * 40)
    assert believed(None) == believed([]) == believed("x") == SiteFacts()
    assert believed({"duration_s": float("nan")}).duration_s is None


@pytest.mark.parametrize("told", [None, {}, [1], [["a"]], [["a", 5]], [["a", "b", "c"]], "ab"])
def test_links_that_a_cage_lists_are_pairs_of_texts_or_nothing(told):
    with pytest.raises(WireError):
        _pairs(told)


@pytest.mark.parametrize(("after", "kept"), [(float("inf"), None), (-1, None), ("9", None), (True, 1.0), (60, 60.0)])
def test_a_failure_that_a_cage_tells_of_is_one_of_ours(after, kept):
    failure = failure_told({"outcome": "nonsense", "detail": "x" * 9999, "retry_after_s": after})
    assert (failure.outcome, len(failure.detail), failure.retry_after_s) == (Outcome.FETCH_FAILED, 500, kept)


def test_cookies_of_any_size_do_not_reach_the_line(tmp_path):
    cookies = tmp_path / "cookies.txt"
    cookies.touch(mode=0o600)
    cookies.write_bytes(bytes(MAX_COOKIES_BYTES + 1))
    with pytest.raises(BadInput, match="larger than"):
        read_cookies(cookies)
