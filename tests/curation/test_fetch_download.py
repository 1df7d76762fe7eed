"""Fetching from a real server on loopback, with yt-dlp and ffmpeg as they are."""

import gzip
import hashlib
import importlib.util
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from curation.fetch.download import fetch
from curation.fetch.failures import FetchFailure
from curation.fetch.governor import Governor
from curation.fetch.local import take_local
from curation.fetch.settings import FetchSettings
from curation.fetch.ytdlp import backoff_s
from curation.outcomes import Outcome
from shards.errors import BadInput
from shards.ffmpeg import ffmpeg_binary

spec = importlib.util.spec_from_file_location("fetch_server", Path(__file__).with_name("fetch_server.py"))
web = importlib.util.module_from_spec(spec)
sys.modules["fetch_server"] = web
spec.loader.exec_module(web)

NAME = "0123456789abcdef0123"
PATIENCE_S = 20
"""Far more than a deadline of half a second takes on a busy machine, far less than what it ends."""


@pytest.fixture(scope="module")
def server():
    with web.serve() as running:
        yield running


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    """One second of picture and sound: as one MP4, as HLS, and as DASH with the tracks apart."""
    folder = tmp_path_factory.mktemp("media")
    source = ["-f", "lavfi", "-i", "testsrc=s=64x48:r=10:d=1", "-f", "lavfi", "-i", "sine=d=1"]
    codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "5", "-c:a", "aac", "-shortest"]

    def run(*arguments):
        subprocess.run([ffmpeg_binary(), "-v", "error", "-y", *arguments], check=True, timeout=60, cwd=folder)

    run(*source, *codecs, "-movflags", "+faststart", "film.mp4")
    run("-i", "film.mp4", "-c", "copy", "-hls_time", "0.5", "-hls_playlist_type", "vod", "film.m3u8")
    run("-i", "film.mp4", "-c", "copy", "-seg_duration", "1", "-f", "dash", "film.mpd")
    return folder


@pytest.fixture(scope="module")
def film(media):
    return (media / "film.mp4").read_bytes()


@pytest.fixture
def get(tmp_path):
    """Fetch a link into the test's folder."""

    def fetch_it(link, **settings):
        progress = settings.pop("progress", None)
        chosen = FetchSettings(**{"allow_loopback": True, "timeout_s": 3, "retries": 0, **settings})
        return fetch(link, into=tmp_path, name=NAME, settings=chosen, progress=progress)

    return fetch_it


@pytest.fixture
def refused(get, tmp_path):
    """The failure that a link gives, having left nothing behind but a part."""

    def fail(link, **settings):
        with pytest.raises(FetchFailure) as caught:
            get(link, **settings)
        assert {path.suffix for path in tmp_path.iterdir()} <= {".part", ".ytdl"}
        return caught.value

    return fail


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_fetches_a_direct_link_whole_under_our_own_name(server, film, get, tmp_path):
    seen = []
    got = get(server.link("/a%20title;rm%20-rf.mp4", web.body(film)), progress=lambda there, total: seen.append(there))
    assert names(tmp_path) == [f"{NAME}.mp4"]
    assert got.path.read_bytes() == film
    assert (got.bytes, got.sha256) == (len(film), hashlib.sha256(film).hexdigest())
    assert got.metadata.extractor == "generic" and got.metadata.webpage_url.startswith(server.base_url)
    assert got.seconds > 0 and seen[-1] == len(film)


def test_asks_a_server_twice_for_one_video_and_not_at_all_when_it_is_there(server, film, get):
    link = server.link("/counted.mp4", web.body(film))
    get(link)
    assert server.count("/counted.mp4") == 2, "once to see what it is, once for the bytes"
    before = get(link).path.stat().st_mtime_ns
    assert get(link).path.stat().st_mtime_ns == before


def test_goes_on_with_a_part_that_an_earlier_try_left(server, film, get, tmp_path):
    link = server.link("/resumed.mp4", web.cut_off(film, 5000))
    with pytest.raises(FetchFailure):
        get(link)
    server.link("/resumed.mp4", web.body(film))
    assert get(link).path.read_bytes() == film
    assert ("/resumed.mp4", "bytes=5000-") in server.asked
    assert names(tmp_path) == [f"{NAME}.mp4"]


@pytest.mark.parametrize("tagged", [True, False], ids=["tagged", "untagged"])
@pytest.mark.parametrize("longer", [0, 999])
def test_a_file_that_changed_between_two_tries_is_fetched_anew(server, film, get, refused, tmp_path, tagged, longer):
    """Of a server that does not say which version it sends, no part is gone on with."""
    other = film[:12] + bytes(reversed(film[12:])) + bytes(longer)
    path = f"/changed-{tagged}-{longer}.mp4"
    refused(server.link(path, web.cut_off(film, 6000, tagged=tagged)))
    assert get(server.link(path, web.body(other, tagged=tagged))).path.read_bytes() == other


def test_a_server_that_sends_the_rest_of_another_version_all_the_same_is_asked_for_all_of_it(server, film, get):
    other = film[:12] + bytes(reversed(film[12:]))

    def deaf(request):
        del request.headers["If-Range"]
        web.body(other)(request)

    link = server.link("/deaf.mp4", web.in_turn(web.body(film), web.cut_off(film, len(film) // 2), deaf))
    assert get(link, retries=2, backoff_s=0.01).path.read_bytes() == other


def test_a_part_of_which_nothing_is_known_is_not_used(server, film, get, tmp_path):
    (tmp_path / f"{NAME}.mp4.part").write_bytes(b"x" * 5000)
    assert get(server.link("/unknown.mp4", web.body(film))).path.read_bytes() == film
    assert names(tmp_path) == [f"{NAME}.mp4"]


def test_segments_of_an_earlier_manifest_are_not_gone_on_with(server, media, film, get, refused, tmp_path):
    """The first segment came from one version, the second would come from another."""
    for path in media.glob("film*"):
        kind = "application/x-mpegurl" if path.suffix == ".m3u8" else "video/mp2t"
        server.link(f"/versions/{path.name}", web.body(path.read_bytes(), kind))
    link = f"{server.base_url}/versions/film.m3u8"
    whole = get(link).path
    before = whole.read_bytes()
    whole.unlink()
    server.link("/versions/film0.ts", web.body((media / "film1.ts").read_bytes(), "video/mp2t"))
    server.link("/versions/film1.ts", web.status(404))
    refused(link)
    for name in ("film0.ts", "film1.ts"):
        server.link(f"/versions/{name}", web.body((media / name).read_bytes(), "video/mp2t"))
    assert get(link).path.read_bytes() == before


def test_keeps_the_part_of_a_broken_fetch_and_completes_it_next_time(server, film, get, refused, tmp_path):
    link = server.link("/broken.mp4", web.cut_off(film, 6000))
    failure = refused(link)
    assert (failure.outcome, failure.retry) == (Outcome.UNREACHABLE, True), failure.detail
    assert names(tmp_path) == [f"{NAME}.mp4.part", f"{NAME}.mp4.ytdl"]
    server.link("/broken.mp4", web.body(film))
    assert get(link).path.read_bytes() == film


def test_a_download_that_breaks_off_goes_on_within_the_fetch(server, film, get):
    first, half = web.body(film), web.cut_off(film, len(film) // 2)
    link = server.link("/halting.mp4", web.in_turn(first, half, web.body(film)))
    assert get(link, retries=2, backoff_s=0.01).path.read_bytes() == film
    assert [wanted for path, wanted in server.asked if path == "/halting.mp4"][2] == f"bytes={len(film) // 2}-"


@pytest.mark.parametrize("trouble", [web.status(503), web.hang_up, web.status(500)], ids=["503", "hangs up", "500"])
def test_a_page_that_fails_at_first_is_asked_again(server, film, get, trouble):
    link = server.link("/moody.mp4", web.in_turn(trouble, trouble, web.body(film)))
    before = server.count("/moody.mp4")
    assert get(link, retries=2, backoff_s=0.01).path.read_bytes() == film
    assert server.count("/moody.mp4") - before == 4, "two failures, then once to see what it is, once for the bytes"


@pytest.mark.parametrize("code", [403, 404, 410, 429, 451])
def test_what_another_try_cannot_help_is_asked_once(server, refused, code):
    refused(server.link(f"/once-{code}.mp4", web.status(code)), retries=5, backoff_s=60)
    assert server.count(f"/once-{code}.mp4") == 1


def test_pauses_between_tries_end_at_the_deadline(server, refused):
    begun = time.perf_counter()
    failure = refused(server.link("/never.mp4", web.status(503)), retries=5, backoff_s=600, deadline_s=0.3)
    assert failure.outcome is Outcome.TIMED_OUT
    assert time.perf_counter() - begun < PATIENCE_S


def test_pauses_grow_and_vary_by_chance():
    settings = FetchSettings(backoff_s=1)
    for turn, middle in enumerate((1, 2, 4, 8, 16, 32, 60, 60)):
        pauses = {backoff_s(turn, settings) for _ in range(50)}
        assert middle / 2 <= min(pauses) < max(pauses) <= middle * 1.5 and len(pauses) > 40


def test_starts_anew_when_the_server_knows_no_ranges(server, film, get, tmp_path):
    (tmp_path / f"{NAME}.mp4.part").write_bytes(b"x" * 5000)
    assert get(server.link("/rangeless.mp4", web.body(film, ranges=False))).path.read_bytes() == film


@pytest.mark.parametrize(
    ("code", "outcome", "retry"),
    [
        (401, Outcome.LOGIN_REQUIRED, False),
        (403, Outcome.FORBIDDEN, False),
        (404, Outcome.NOT_FOUND, False),
        (410, Outcome.REMOVED, False),
        (429, Outcome.RATE_LIMITED, True),
        (451, Outcome.GEO_BLOCKED, False),
        (500, Outcome.SERVER_ERROR, True),
        (503, Outcome.SERVER_ERROR, True),
    ],
)
def test_an_answer_of_the_server_is_an_outcome(server, refused, code, outcome, retry):
    failure = refused(server.link(f"/private/removed-{code}.mp4", web.status(code)))
    assert (failure.outcome, failure.retry) == (outcome, retry)
    assert str(code) in failure.detail and "\x1b" not in failure.detail


def test_a_closed_port_is_unreachable(refused):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        failure = refused(f"http://127.0.0.1:{closed.getsockname()[1]}/film.mp4")
    assert (failure.outcome, failure.retry) == (Outcome.UNREACHABLE, True)


def test_a_name_that_does_not_resolve_is_unknown(refused):
    assert refused("http://no-such-host.invalid/film.mp4").outcome is Outcome.DNS_FAILED


def test_a_silent_server_times_out(server, refused):
    failure = refused(server.link("/silent.mp4", web.silence(server)), timeout_s=0.3)
    assert (failure.outcome, failure.retry) == (Outcome.TIMED_OUT, True)


def test_a_server_that_trickles_is_ended_at_the_deadline(server, refused):
    begun = time.perf_counter()
    failure = refused(server.link("/trickle.mp4", web.endless(b"x", server, every_s=0.05)), deadline_s=0.6, retries=3)
    assert failure.outcome is Outcome.TIMED_OUT
    assert time.perf_counter() - begun < PATIENCE_S


def test_a_page_that_trickles_is_ended_at_the_deadline(server, refused):
    answer = web.endless(b"<html>", server, every_s=0.05, kind="text/html")
    begun = time.perf_counter()
    assert refused(server.link("/slow-page", answer), deadline_s=0.6).outcome is Outcome.TIMED_OUT
    assert time.perf_counter() - begun < PATIENCE_S


def test_a_handshake_that_never_ends_is_ended_at_the_deadline(refused):
    begun = time.perf_counter()
    with socket.create_server(("127.0.0.1", 0)) as mute:
        failure = refused(f"https://127.0.0.1:{mute.getsockname()[1]}/film.mp4", deadline_s=0.5, timeout_s=60)
    assert failure.outcome is Outcome.TIMED_OUT
    assert time.perf_counter() - begun < PATIENCE_S


def test_a_file_larger_than_allowed_is_refused_before_its_bytes_come(server, film, refused, tmp_path):
    failure = refused(server.link("/large.mp4", web.body(film)), max_bytes=1000)
    assert failure.outcome is Outcome.TOO_LARGE
    assert names(tmp_path) == []


def test_a_stream_of_no_stated_length_stops_at_the_limit_and_leaves_nothing(server, film, refused, tmp_path):
    failure = refused(server.link("/endless.mp4", web.endless(film, server)), max_bytes=500_000)
    assert failure.outcome is Outcome.TOO_LARGE
    assert names(tmp_path) == []


@pytest.mark.parametrize("bomb", [gzip.compress(bytes(40 << 20)), bytes(40 << 20)], ids=["gzip", "plain"])
def test_a_page_that_fills_the_memory_is_refused(server, refused, bomb):
    encoding = "gzip" if bomb[:2] == b"\x1f\x8b" else ""
    data = bomb if encoding else b"<html>" + bomb
    assert refused(server.link("/bomb", web.body(data, "text/html", encoding=encoding))).outcome is Outcome.TOO_LARGE


@pytest.mark.parametrize(
    ("data", "kind", "outcome"),
    [
        (b"<html><body>no film here</body></html>", "text/html", Outcome.UNSUPPORTED_SITE),
        (b"<html><body>no film here</body></html>", "video/mp4", Outcome.NOT_A_VIDEO),
        (b"just some words\n" * 100, "text/plain", Outcome.NOT_A_VIDEO),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "video/mp4", Outcome.NOT_A_VIDEO),
        (b"%PDF-1.7\n" + bytes(500), "application/pdf", Outcome.NOT_A_VIDEO),
        (b"", "video/mp4", Outcome.EMPTY_FILE),
        (b"", "text/html", Outcome.EMPTY_FILE),
        (b"", "application/octet-stream", Outcome.EMPTY_FILE),
    ],
)
def test_what_is_no_video_is_told_from_one(server, refused, data, kind, outcome, tmp_path):
    failure = refused(server.link("/odd.mp4", web.body(data, kind)))
    assert failure.outcome is outcome, failure.detail
    assert names(tmp_path) == []


def test_fetches_the_video_that_a_page_embeds(server, film, get):
    video = server.link("/embedded.mp4", web.body(film))
    page = f'<html><title>A page</title><body><video src="{video}"></video></body></html>'.encode()
    assert get(server.link("/page.html", web.body(page, "text/html"))).path.read_bytes() == film


def test_a_page_is_read_once_for_its_video(server, film, get):
    """One extraction: what the site says is kept from it, and nothing is asked twice."""
    server.link("/only.mp4", web.body(film))
    page = b'<html><title>A page</title><body><video src="only.mp4"></video></body></html>'
    link = server.link("/only.html", web.body(page, "text/html"))
    before = len(server.asked)
    facts = get(link).metadata
    assert [path for path, _ in server.asked[before:]] == ["/only.html", "/only.mp4"]
    assert facts.title.startswith("A page") and (facts.webpage_url, facts.extractor) == (link, "html5")
    assert facts.downloader.startswith("yt-dlp 20")
    assert facts.by == f"html5, {facts.downloader}"


def test_an_encrypted_hls_stream_is_decrypted_without_another_program(server, media, get, tmp_path):
    import av

    key = bytes(range(16))
    (media / "aes.key").write_bytes(key)
    (media / "aes.info").write_text(f"aes.key\n{media / 'aes.key'}\n")
    command = [
        "-i",
        "film.mp4",
        "-c",
        "copy",
        "-hls_key_info_file",
        "aes.info",
        "-hls_playlist_type",
        "vod",
        "aes.m3u8",
    ]
    subprocess.run([ffmpeg_binary(), "-v", "error", "-y", *command], check=True, timeout=60, cwd=media)
    for path in media.glob("aes*"):
        kind = "application/x-mpegurl" if path.suffix == ".m3u8" else "application/octet-stream"
        server.link(f"/aes/{path.name}", web.body(path.read_bytes(), kind))
    with av.open(str(get(f"{server.base_url}/aes/aes.m3u8").path)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 10


def test_fetches_hls_and_dash_and_joins_picture_and_sound(server, media, get, tmp_path):
    import av

    for path in media.iterdir():
        kind = {".m3u8": "application/x-mpegurl", ".mpd": "application/dash+xml"}.get(path.suffix, "video/mp4")
        server.link(f"/streams/{path.name}", web.body(path.read_bytes(), kind))
    for manifest in ("film.m3u8", "film.mpd"):
        got = get(f"{server.base_url}/streams/{manifest}")
        assert names(tmp_path) == [got.path.name]
        with av.open(str(got.path)) as container:
            assert {stream.type for stream in container.streams} == {"video", "audio"}
            assert sum(1 for _ in container.decode(video=0)) == 10
        got.path.unlink()


def test_a_missing_fragment_fails_the_video_rather_than_shift_its_sound(server, media, refused):
    for path in media.glob("film*"):
        kind = "application/x-mpegurl" if path.suffix == ".m3u8" else "video/mp2t"
        server.link(f"/torn/{path.name}", web.body(path.read_bytes(), kind))
    server.link("/torn/film1.ts", web.status(404))
    assert refused(f"{server.base_url}/torn/film.m3u8").outcome is Outcome.NOT_FOUND


def test_a_video_that_lasts_too_long_or_has_another_licence_is_not_downloaded(server, media, refused, tmp_path):
    for path in media.glob("*.m3u8"):
        server.link(f"/long/{path.name}", web.body(path.read_bytes(), "application/x-mpegurl"))
    link = f"{server.base_url}/long/film.m3u8"
    assert refused(link, max_duration_s=0.5).outcome is Outcome.TOO_LONG
    with pytest.raises(FetchFailure, match="licence is not stated") as failure:
        settings = FetchSettings(allow_loopback=True, retries=0)
        fetch(link, into=tmp_path, name=NAME, settings=settings, licensed=lambda licence: licence == "CC-BY")
    assert failure.value.outcome is Outcome.LICENCE_NOT_ALLOWED
    assert server.count("/long/film0.ts") == 0


def test_an_hls_stream_without_an_end_is_live(server, media, refused):
    playlist = (media / "film.m3u8").read_text().replace("#EXT-X-ENDLIST", "").replace("VOD", "EVENT")
    link = server.link("/live.m3u8", web.body(playlist.encode(), "application/x-mpegurl"))
    assert refused(link).outcome is Outcome.LIVE


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/film.mp4",
        "http://[::ffff:192.168.0.1]/film.mp4",
        "http://[fd00::1]/film.mp4",
        "http://0x0a000001/film.mp4",
        "http://0.0.0.0:1/film.mp4",
    ],
)
def test_a_redirect_into_a_private_network_is_refused(server, refused, target):
    for code in (301, 302, 303, 307, 308):
        failure = refused(server.link("/away.mp4", web.redirect(target, code)))
        assert (failure.outcome, failure.retry) == (Outcome.BLOCKED_ADDRESS, False), failure.detail


@pytest.mark.parametrize("scheme", ["ftp", "file", "data"])
def test_a_redirect_to_another_scheme_opens_nothing(server, refused, scheme):
    with socket.create_server(("127.0.0.1", 0)) as inside:
        inside.settimeout(0.05)
        target = {"ftp": f"ftp://127.0.0.1:{inside.getsockname()[1]}/a", "file": "file:///etc/passwd"}
        failure = refused(server.link("/other.mp4", web.redirect(target.get(scheme, "data:video/mp4,abc"))))
        with pytest.raises(TimeoutError):
            inside.accept()
    assert (failure.outcome, failure.retry) == (Outcome.BAD_LINK, False), failure.detail


@pytest.mark.parametrize(
    "inner",
    ["http://169.254.169.254/latest/meta-data.ts", "http://10.1.2.3/a.ts", "file:///etc/passwd", "ftp://10.0.0.1/a.ts"],
)
@pytest.mark.parametrize(
    "line",
    [
        "#EXTINF:1,\n{inner}",
        '#EXT-X-MAP:URI="{inner}"\n#EXTINF:1,\nfilm0.ts',
        '#EXT-X-KEY:METHOD=AES-128,URI="{inner}"\n#EXTINF:1,\nfilm0.ts',
    ],
    ids=["segment", "map", "key"],
)
def test_a_manifest_that_leads_inside_is_refused(server, media, refused, inner, line):
    server.link("/film0.ts", web.body((media / "film0.ts").read_bytes(), "video/mp2t"))
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n{line.format(inner=inner)}\n#EXT-X-ENDLIST\n"
    failure = refused(server.link("/inside.m3u8", web.body(playlist.encode(), "application/x-mpegurl")))
    assert failure.outcome in (Outcome.BLOCKED_ADDRESS, Outcome.BAD_LINK), failure.detail


@pytest.mark.parametrize("tag", ["BaseURL", "SegmentURL", "Initialization"])
def test_a_dash_manifest_that_leads_inside_is_refused(server, media, refused, tag):
    manifest, inner = (media / "film.mpd").read_text(), "http://169.254.169.254/"
    if tag == "BaseURL":
        manifest = manifest.replace("<Period", f"<BaseURL>{inner}</BaseURL><Period", 1)
    else:
        manifest = manifest.replace('media="', f'media="{inner}').replace(
            'initialization="', f'initialization="{inner}'
        )
    failure = refused(server.link("/inside.mpd", web.body(manifest.encode(), "application/dash+xml")))
    assert failure.outcome is Outcome.BLOCKED_ADDRESS, failure.detail


def test_a_segment_that_redirects_inside_is_refused(server, media, refused):
    server.link("/hop/film0.ts", web.redirect("http://10.0.0.1/film0.ts"))
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfilm0.ts\n#EXT-X-ENDLIST\n"
    failure = refused(server.link("/hop/a.m3u8", web.body(playlist.encode(), "application/x-mpegurl")))
    assert failure.outcome is Outcome.BLOCKED_ADDRESS, failure.detail


@pytest.mark.parametrize(
    "answers",
    [["127.0.0.1"], ["10.0.0.1", "127.0.0.1"], ["::ffff:127.0.0.1"]],
    ids=["inside", "all inside", "in another dress"],
)
def test_a_public_name_that_means_an_inner_address_reaches_nothing(server, refused, monkeypatch, answers):
    """What the name server says counts at the connection, so it cannot say one thing to the check and another to us."""
    real, asked = socket.getaddrinfo, len(server.asked)

    def resolve(host, port, *more, **options):
        if host != "video.example":
            return real(host, port, *more, **options)
        return [found for one in answers for found in real(one, port, *more, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    failure = refused(f"http://video.example:{server.port}/film.mp4", allow_loopback=False)
    assert failure.outcome is Outcome.BLOCKED_ADDRESS, failure.detail
    assert len(server.asked) == asked


def test_a_name_server_that_changes_its_answer_gains_nothing(server, film, refused, monkeypatch):
    real, asked, times = socket.getaddrinfo, len(server.asked), []

    def resolve(host, port, *more, **options):
        if host != "video.example":
            return real(host, port, *more, **options)
        times.append(host)
        return real("10.255.255.1" if len(times) % 2 else "127.0.0.1", port, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    for _ in range(2):
        link = f"http://video.example:{server.port}/film.mp4"
        assert refused(link, allow_loopback=False).outcome is Outcome.BLOCKED_ADDRESS
    assert len(server.asked) == asked


def test_proxies_of_the_environment_are_not_used(server, film, get, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://10.0.0.1:3128")
    assert get(server.link("/direct.mp4", web.body(film))).path.read_bytes() == film


def test_a_proxy_of_the_settings_is_the_only_inner_address(server, film, get, refused, capsys):
    """The proxy here is the server itself: it is asked for the whole link."""
    server.link("http://video.example/film.mp4", web.body(film))
    proxy = f"http://me:secret@127.0.0.1:{server.port}"
    got = get("http://video.example/film.mp4", proxy=proxy, allow_loopback=False)
    assert got.path.read_bytes() == film
    got.path.unlink()
    dead = "http://me:secret@127.0.0.1:1"
    assert "secret" not in str(refused("http://video.example/other.mp4", proxy=dead, allow_loopback=False))


def test_a_socks_proxy_gets_the_name_not_an_address(server, film, get):
    server.link("/socks.mp4", web.body(film))
    with web.socks5(server.port) as (port, asked):
        proxy = f"socks5h://me:secret@127.0.0.1:{port}"
        got = get("http://video.example/socks.mp4", proxy=proxy, allow_loopback=False)
    assert got.path.read_bytes() == film
    assert set(asked) == {"video.example"}


@pytest.mark.parametrize(
    "proxy", ["socks5://127.0.0.1:1080", "https://127.0.0.1:3128", "file:///x", "nonsense", "http://", "http://a:port"]
)
def test_a_proxy_of_another_kind_is_refused_and_not_repeated(proxy):
    """socks5:// would have names resolved here, and yt-dlp's own connections speak no https to a proxy."""
    with pytest.raises(ValueError, match="proxy is http") as refusal:
        FetchSettings(proxy=proxy.replace("//", "//me:secret@"))
    assert "secret" not in repr(refusal.value)
    assert "secret" not in str(refusal.value)


def test_only_pages_of_the_hosts_wanted_are_fetched(server, film, get, refused, tmp_path):
    link = server.link("/wanted.mp4", web.body(film))
    settings = FetchSettings(allow_loopback=True, retries=0)

    def outcome_of(link, hosts):
        try:
            fetch(link, into=tmp_path, name=NAME, settings=settings, hosts=hosts)
        except FetchFailure as failure:
            return failure.outcome
        return Outcome.OK

    before = len(server.asked)
    assert outcome_of(link, ("example.com", "0.0.1")) is Outcome.HOST_NOT_ALLOWED
    assert len(server.asked) == before, "another host is not even asked"
    assert outcome_of(link, ("127.0.0.1",)) is Outcome.OK


def test_a_page_that_leads_to_another_host_is_not_followed(server, film, tmp_path):
    elsewhere = f"http://localhost:{server.port}/elsewhere.mp4"
    server.link("/elsewhere.mp4", web.body(film))
    link = server.link("/leads-away.mp4", web.redirect(elsewhere))
    settings = FetchSettings(allow_loopback=True, retries=0)
    with pytest.raises(FetchFailure) as caught:
        fetch(link, into=tmp_path, name=NAME, settings=settings, hosts=("127.0.0.1",))
    assert caught.value.outcome is Outcome.HOST_NOT_ALLOWED
    assert names(tmp_path) == []


def test_a_page_that_embeds_an_inner_address_is_refused(server, refused):
    page = b'<html><body><video src="http://169.254.169.254/film.mp4"></video></body></html>'
    assert refused(server.link("/inner.html", web.body(page, "text/html"))).outcome is Outcome.BLOCKED_ADDRESS


def test_ffmpeg_never_opens_a_link(server, refused):
    with socket.create_server(("127.0.0.1", 0)) as inside:
        inside.settimeout(0.05)
        address = f"http://127.0.0.1:{inside.getsockname()[1]}/a.ts"
        key = f'#EXT-X-KEY:METHOD=SAMPLE-AES,URI="{address}"'
        playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n{key}\n#EXTINF:1,\n{address}\n#EXT-X-ENDLIST\n"
        failure = refused(server.link("/encrypted.m3u8", web.body(playlist.encode(), "application/x-mpegurl")))
        with pytest.raises(TimeoutError):
            inside.accept()
    assert failure.outcome is Outcome.UNSUPPORTED_SITE, failure.detail


def test_loopback_is_refused_unless_it_is_allowed(server, film, refused):
    port = server.port
    for link in (f"http://127.0.0.1:{port}/x.mp4", f"http://localhost:{port}/x.mp4", f"http://2130706433:{port}/x.mp4"):
        asked = len(server.asked)
        assert refused(link, allow_loopback=False).outcome is Outcome.BLOCKED_ADDRESS
        assert len(server.asked) == asked


def test_a_full_disk_is_told_from_a_bad_link(server, film, refused, tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    (tmp_path / f"{NAME}.mp4.part").symlink_to("/dev/full")
    failure = refused(server.link("/full.mp4", web.body(film * 20)))
    assert (failure.outcome, failure.retry) == (Outcome.DISK_FULL, True), failure.detail


def test_cookies_are_sent_and_their_file_is_not_written(server, film, get, tmp_path_factory):
    cookies = tmp_path_factory.mktemp("cookies") / "cookies.txt"
    cookies.touch(mode=0o600)
    cookies.write_text("# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tsession\tsecret\n")
    before, sent = cookies.read_bytes(), []

    def answer(request):
        sent.append(request.headers.get("Cookie"))
        web.body(film)(request)

    get(server.link("/cookies.mp4", answer), cookies=cookies)
    assert sent == ["session=secret"] * 2
    assert cookies.read_bytes() == before


def test_cookies_that_others_can_read_are_not_used(get, server, film, tmp_path):
    (tmp_path / "cookies.txt").touch(mode=0o644)
    with pytest.raises(BadInput, match="chmod 600"):
        get(server.link("/film.mp4", web.body(film)), cookies=tmp_path / "cookies.txt")


def test_missing_cookies_stop_the_run_with_a_remedy(get, server, film, tmp_path):
    with pytest.raises(BadInput, match="cookies"):
        get(server.link("/film.mp4", web.body(film)), cookies=tmp_path / "absent.txt")


@pytest.mark.parametrize("name", ["", "../up", "a/b", "50%(title)s", "a" * 101])
def test_a_name_cannot_leave_its_folder(name, tmp_path):
    with pytest.raises(ValueError, match="no name"):
        fetch("http://example.com/a.mp4", into=tmp_path, name=name, settings=FetchSettings())


def test_a_host_that_turns_us_away_is_left_alone_until_it_said(server, film, get, tmp_path):
    clock = [1_000_000.0]
    governor = Governor(videos_per_hour=10_000, cool_s=60, spare_loopback=False, clock=lambda: clock[0], sleep=print)
    settings = FetchSettings(allow_loopback=True, timeout_s=3, retries=0)

    def outcome_of(path):
        try:
            fetch(server.base_url + path, into=tmp_path, name=NAME, settings=settings, governor=governor)
        except FetchFailure as failure:
            return failure.outcome, failure.retry_at and failure.retry_at.timestamp()
        return Outcome.OK, None

    server.link("/busy.mp4", web.status(429))
    outcomes = [outcome_of("/busy.mp4") for _ in range(5)]
    assert [outcome for outcome, _ in outcomes] == [Outcome.RATE_LIMITED] * 5
    assert outcomes[-1][1] == clock[0] + 60
    assert server.count("/busy.mp4") == 3, "the circuit opens after three"
    server.link("/busy.mp4", web.body(film))
    clock[0] += 61
    assert outcome_of("/busy.mp4") == (Outcome.OK, None)


def test_an_interrupted_try_lets_another_one_follow(server, film, tmp_path):
    """The one video that finds out whether a host has cooled must not keep all others waiting when it is broken off."""
    clock = [1_000_000.0]
    governor = Governor(videos_per_hour=10_000, cool_s=60, spare_loopback=False, clock=lambda: clock[0], sleep=print)
    link = server.link("/probe.mp4", web.body(film))
    for _ in range(3):
        governor.wait(link)
        governor.tell(link, Outcome.BOT_WALL)
    clock[0] += 61

    def interrupt(*_):
        raise KeyboardInterrupt

    settings = FetchSettings(allow_loopback=True, retries=0)
    with pytest.raises(KeyboardInterrupt):
        fetch(link, into=tmp_path, name=NAME, settings=settings, governor=governor, progress=interrupt)
    assert fetch(link, into=tmp_path, name=NAME, settings=settings, governor=governor).bytes == len(film)


def test_several_threads_fetch_at_once(server, film, tmp_path):
    settings, got = FetchSettings(allow_loopback=True, timeout_s=5, retries=0), []
    link = server.link("/shared.mp4", web.body(film))

    def work(number):
        got.append(fetch(link, into=tmp_path, name=f"video{number}", settings=settings).sha256)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [hashlib.sha256(film).hexdigest()] * 4


def test_a_local_file_is_used_where_it_lies(film, tmp_path):
    path = tmp_path / "mine.mp4"
    path.write_bytes(film)
    got = take_local(path)
    assert (got.path, got.bytes, got.sha256) == (path, len(film), hashlib.sha256(film).hexdigest())
    for missing in (tmp_path / "absent.mp4", tmp_path):
        with pytest.raises(FetchFailure) as caught:
            take_local(missing)
        assert caught.value.outcome is Outcome.FILE_MISSING
