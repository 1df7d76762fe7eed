"""No link, page, manifest, redirect or name server leads a fetch inside: with the settings as they come.

The internet here is two servers on loopback. Connections to one public address go to the first, all others to the
second, which counts them; names mean what the test says, one answer after another. Nothing of ours is replaced.
"""

import importlib.util
import ipaddress
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from curation.fetch.download import fetch
from curation.fetch.failures import FetchFailure
from curation.fetch.settings import FetchSettings
from curation.outcomes import Outcome
from shards.ffmpeg import ffmpeg_binary

spec = importlib.util.spec_from_file_location("fetch_server", Path(__file__).with_name("fetch_server.py"))
web = importlib.util.module_from_spec(spec)
sys.modules["fetch_server"] = web
spec.loader.exec_module(web)

PUBLIC = "93.184.216.34"
SITE = "http://site.example"
NAMES = {
    "site.example": [PUBLIC],
    "localhost": ["127.0.0.1"],
    "inside.example": ["10.0.0.5"],
    "metadata.google.internal": ["169.254.169.254"],
    "six.example": ["::1"],
    "mapped.example": ["::ffff:10.0.0.5"],
    "nat64.example": ["64:ff9b::a9fe:a9fe"],
    "sixtofour.example": ["2002:7f00:1::"],
    "carrier.example": ["100.64.0.1"],
    "nothing.example": ["0.0.0.0"],
    "all-inside.example": ["10.0.0.5", "192.168.0.1", "fd00::1"],
}
REFUSED = (Outcome.BLOCKED_ADDRESS, Outcome.BAD_LINK)


@dataclass
class Internet:
    site: object
    inside: object
    reached: list = field(default_factory=list)
    asked: list = field(default_factory=list)
    answers: dict = field(default_factory=lambda: {name: list(means) for name, means in NAMES.items()})

    def page(self, path, text, kind="text/html"):
        self.site.link(path, web.body(text.encode(), kind))
        return SITE + path

    def redirect(self, path, target, code=302):
        self.site.link(path, web.redirect(target, code))
        return SITE + path

    def reached_nothing_inside(self):
        return self.reached == [] and self.inside.asked == []


@pytest.fixture(scope="module")
def servers():
    with web.serve() as site, web.serve() as inside:
        yield site, inside


@pytest.fixture
def internet(servers, monkeypatch):
    world = Internet(*servers)
    connect, resolve = socket.socket.connect, socket.getaddrinfo

    def routed(one, address):
        if address[0] == PUBLIC:
            return connect(one, ("127.0.0.1", world.site.port))
        world.reached.append(address[:2])
        if one.family != socket.AF_INET:
            raise ConnectionRefusedError(111, "the test has no IPv6")
        return connect(one, ("127.0.0.1", world.inside.port))

    def resolved(host, port, *more, **options):
        name = host.decode() if isinstance(host, bytes) else host
        world.asked.append(name)
        if name in world.answers:
            means = world.answers[name]
            now = means.pop(0) if isinstance(means[0], list) and len(means) > 1 else means
            now = now[0] if isinstance(now[0], list) else now
            return [found for one in now for found in resolve(one, port, *more, **options)]
        try:
            ipaddress.ip_address(name.encode("idna").decode())
        except ValueError as error:
            raise socket.gaierror(-2, "Name or service not known") from error
        return resolve(name.encode("idna").decode(), port, *more, **options)

    monkeypatch.setattr(socket.socket, "connect", routed)
    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    world.inside.asked.clear()
    return world


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    """A second of picture, as MP4 and as the pieces of HLS and DASH."""
    folder = tmp_path_factory.mktemp("media")

    def run(*arguments):
        subprocess.run([ffmpeg_binary(), "-v", "error", "-y", *arguments], check=True, timeout=60, cwd=folder)

    run("-f", "lavfi", "-i", "testsrc=s=64x48:r=10:d=1", "-c:v", "libx264", "-preset", "ultrafast", "film.mp4")
    run("-i", "film.mp4", "-c", "copy", "-f", "mpegts", "film.ts")
    run("-i", "film.mp4", "-c", "copy", "-seg_duration", "1", "-f", "dash", "film.mpd")
    return folder


@pytest.fixture
def get(internet, tmp_path):
    def fetch_it(link, **settings):
        return fetch(link, into=tmp_path, name="v", settings=FetchSettings(timeout_s=3, retries=0, **settings))

    return fetch_it


@pytest.fixture
def refused(get, internet, tmp_path):
    """The outcome of a link that must fail, after nothing inside was reached."""

    def fail(link, **settings):
        with pytest.raises(FetchFailure) as caught:
            get(link, **settings)
        assert internet.reached_nothing_inside(), internet.reached
        assert {path.suffix for path in tmp_path.iterdir()} <= {".part", ".ytdl"}
        return caught.value.outcome

    return fail


def test_the_trap_would_notice(internet, get):
    """Loopback, allowed by its setting, is reached: so the other tests would see it if they reached something."""
    with pytest.raises(FetchFailure) as caught:
        get("http://127.0.0.1/film.mp4", allow_loopback=True)
    assert caught.value.outcome is Outcome.NOT_FOUND
    assert internet.reached == [("127.0.0.1", 80)] and internet.inside.asked


def test_a_public_name_is_fetched(internet, get, media):
    film = (media / "film.mp4").read_bytes()
    internet.site.link("/film.mp4", web.body(film))
    assert get(f"{SITE}/film.mp4").path.read_bytes() == film
    assert internet.reached_nothing_inside()


HOSTS = [
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "0177.0.0.1", "127.0.0.1.",
    "0", "0.0.0.0", "10.0.0.1", "172.31.255.255", "192.168.0.1", "169.254.169.254", "0xa9fea9fe", "2852039166",
    "100.64.0.1", "198.18.0.1", "192.0.0.1", "224.0.0.1", "255.255.255.255", "[::]", "[::1]", "[::ffff:127.0.0.1]",
    "[0:0:0:0:0:ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1]", "[fd00:ec2::254]",
    "site.example@127.0.0.1", "127.0.0.1#@site.example", "127.0.0.1\\@site.example", "１２７.0.0.1", "127。0。0。1",
    "①②⑦.0.0.1", "localhost", "localhost.", "LOCALHOST", "inside.example", "metadata.google.internal", "six.example",
    "mapped.example", "nat64.example", "sixtofour.example", "carrier.example", "nothing.example", "all-inside.example",
]  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
def test_a_link_to_an_inner_host_in_any_dress_reaches_nothing(refused, host):
    outcome = refused(f"http://{host}/latest/meta-data/")
    assert outcome in (*REFUSED, Outcome.DNS_FAILED)


@pytest.mark.parametrize(
    "link",
    [
        "file:///etc/passwd", "ftp://site.example/a", "gopher://127.0.0.1:70/_", "data:video/mp4,a", "ws://127.0.0.1/",
        "dict://127.0.0.1:11211/", "javascript:1", "ytsearch:cats", "https:127.0.0.1", "//127.0.0.1/",
        "-o/etc/cron.d/x",
    ],
)  # fmt: skip
def test_a_link_of_another_kind_is_refused(refused, link):
    assert refused(link) is Outcome.BAD_LINK


INNER = [
    "http://127.0.0.1/a.mp4", "http://[::1]/a.mp4", "http://169.254.169.254/latest/", "http://2852039166/latest/",
    "http://localhost/a.mp4", "http://inside.example/a.mp4", "//10.0.0.5/a.mp4", "http://0x7f.1:6379/", "http://0/",
    "https://metadata.google.internal/", "http://nat64.example/", "http://site.example@127.0.0.1/",
    "file:///etc/passwd", "ftp://127.0.0.1/a", "gopher://127.0.0.1:70/_x", "data:text/html,a",
]  # fmt: skip


@pytest.mark.parametrize("target", INNER)
def test_a_redirect_leads_nowhere_inside(internet, refused, target):
    assert refused(internet.redirect("/away.mp4", target)) in REFUSED


@pytest.mark.parametrize("code", [301, 303, 307, 308])
def test_no_kind_of_redirect_does(internet, refused, code):
    assert refused(internet.redirect("/away.mp4", "http://169.254.169.254/", code)) is Outcome.BLOCKED_ADDRESS


def test_a_chain_of_redirects_is_checked_at_every_step(internet, refused):
    internet.redirect("/second.mp4", "http://localhost/film.mp4", 307)
    assert refused(internet.redirect("/first.mp4", "/second.mp4", 301)) is Outcome.BLOCKED_ADDRESS


PAGES = {
    "video": '<video src="{}"></video>',
    "source": '<video><source src="{}" type="video/mp4"></video>',
    "iframe": '<iframe src="https://player.vimeo.com.localhost/video/1"></iframe><video src="{}"></video>',
    "meta refresh": '<meta http-equiv="refresh" content="0; url={}">',
    "og:video": '<meta property="og:video" content="{}"><meta property="og:video:type" content="video/mp4">',
    "twitter": '<meta name="twitter:player:stream" content="{}">',
    "jwplayer": '<script>jwplayer("a").setup({{"file": "{}", "type": "mp4"}});</script>',
    "ld+json": '<script type="application/ld+json">{{"@context": "https://schema.org", "@type": "VideoObject", '
    '"name": "a", "contentUrl": "{}"}}</script>',
}


@pytest.mark.parametrize("inner", ["http://127.0.0.1/a.mp4", "http://169.254.169.254/a.mp4", "file:///etc/passwd.mp4"])
@pytest.mark.parametrize("tag", PAGES)
def test_what_a_page_embeds_leads_nowhere_inside(internet, refused, tag, inner):
    page = f"<html><title>a</title><body>{PAGES[tag].format(inner)}</body></html>"
    assert refused(internet.page("/page.html", page)) in (*REFUSED, Outcome.UNSUPPORTED_SITE, Outcome.DNS_FAILED)


def test_pictures_and_subtitles_of_a_page_are_not_even_asked_for(internet, get, media):
    film = (media / "film.mp4").read_bytes()
    internet.site.link("/film.mp4", web.body(film))
    page = (
        '<html><title>a</title><meta property="og:image" content="http://127.0.0.1/a.png">'
        '<video src="/film.mp4" poster="http://169.254.169.254/"><track src="http://10.0.0.5/a.vtt" kind="subtitles">'
        "</video></html>"
    )
    assert get(internet.page("/page.html", page)).path.read_bytes() == film
    assert internet.reached_nothing_inside()


HLS = {
    "segment": "#EXTINF:1,\n{}",
    "map": '#EXT-X-MAP:URI="{}"\n#EXTINF:1,\nfilm.ts',
    "key": '#EXT-X-KEY:METHOD=AES-128,URI="{}"\n#EXTINF:1,\nfilm.ts',
    "variant": "#EXT-X-STREAM-INF:BANDWIDTH=1000\n{}",
    "byte range": "#EXTINF:1,\n#EXT-X-BYTERANGE:100@0\n{}",
}


@pytest.mark.parametrize(
    "inner",
    ["http://127.0.0.1/a.ts", "http://169.254.169.254/a.ts", "http://inside.example/a.ts", "file:///etc/passwd"],
)
@pytest.mark.parametrize("line", HLS)
def test_an_hls_playlist_leads_nowhere_inside(internet, refused, media, line, inner):
    internet.site.link("/film.ts", web.body((media / "film.ts").read_bytes(), "video/mp2t"))
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n{HLS[line].format(inner)}\n#EXT-X-ENDLIST\n"
    outcome = refused(internet.page("/a.m3u8", playlist, "application/x-mpegurl"))
    # A variant that cannot be looked at counts as one without an end.
    assert outcome in REFUSED if line != "variant" else outcome in (*REFUSED, Outcome.LIVE), outcome


def test_other_sound_and_subtitles_of_a_playlist_lead_nowhere_inside(internet, refused):
    playlist = (
        '#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",URI="http://127.0.0.1/a.m3u8"\n'
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="s",URI="http://10.0.0.5/s.m3u8"\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=1000,AUDIO="a",SUBTITLES="s",CODECS="avc1.42c00a,mp4a.40.2"\nfilm.m3u8\n'
    )
    internet.page("/film.m3u8", "#EXTM3U\n#EXTINF:1,\nfilm.ts\n#EXT-X-ENDLIST\n", "application/x-mpegurl")
    assert refused(internet.page("/a.m3u8", playlist, "application/x-mpegurl")) in (*REFUSED, Outcome.NOT_FOUND)


@pytest.mark.parametrize("what", ["film.ts", "key", "map"])
def test_a_redirect_within_a_playlist_leads_nowhere_inside(internet, refused, media, what):
    internet.site.link("/film.ts", web.body((media / "film.ts").read_bytes(), "video/mp2t"))
    internet.redirect(f"/{what}", "http://127.0.0.1/a.ts")
    lines = {"key": HLS["key"].format("key"), "map": HLS["map"].format("map")}.get(what, "#EXTINF:1,\nfilm.ts")
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n{lines}\n#EXT-X-ENDLIST\n"
    assert refused(internet.page("/a.m3u8", playlist, "application/x-mpegurl")) is Outcome.BLOCKED_ADDRESS


@pytest.mark.parametrize("inner", ["http://127.0.0.1/", "http://169.254.169.254/", "file:///etc/"])
@pytest.mark.parametrize("tag", ["BaseURL", "media", "initialization"])
def test_a_dash_manifest_leads_nowhere_inside(internet, refused, media, tag, inner):
    manifest = (media / "film.mpd").read_text()
    for path in media.glob("*.m4s"):
        internet.site.link(f"/{path.name}", web.body(path.read_bytes()))
    if tag == "BaseURL":
        manifest = manifest.replace("<Period", f"<BaseURL>{inner}</BaseURL><Period", 1)
    else:
        manifest = manifest.replace(f' {tag}="', f' {tag}="{inner}')
    assert inner in manifest
    outcome = refused(internet.page("/a.mpd", manifest, "application/dash+xml"))
    # yt-dlp takes a base that is not http for a folder of the site.
    assert outcome in REFUSED if inner.startswith("http") else outcome in (*REFUSED, Outcome.NOT_FOUND), outcome


@pytest.mark.parametrize("answers", [[[PUBLIC], ["127.0.0.1"]], [["127.0.0.1"], [PUBLIC]], [[PUBLIC], ["::1"]]])
def test_a_name_that_means_something_else_the_second_time_gains_nothing(internet, refused, answers):
    """The first request finds out what the link is, the second fetches it."""
    internet.answers["turncoat.example"] = answers
    internet.site.link("/film.mp4", web.body(b"\0" * 1000))
    assert refused("http://turncoat.example/film.mp4") is Outcome.BLOCKED_ADDRESS
    assert internet.asked.count("turncoat.example") <= 2


def test_of_a_names_addresses_only_the_public_ones_are_tried(internet, get, media):
    film = (media / "film.mp4").read_bytes()
    internet.site.link("/film.mp4", web.body(film))
    internet.answers["mixed.example"] = ["10.0.0.5", "::1", PUBLIC, "127.0.0.1"]
    assert get("http://mixed.example/film.mp4").path.read_bytes() == film
    assert internet.reached_nothing_inside()


def test_a_name_is_looked_up_once_for_each_connection(internet, get, media):
    internet.site.link("/once.mp4", web.body((media / "film.mp4").read_bytes()))
    get(f"{SITE}/once.mp4")
    assert internet.asked == ["site.example"] * internet.site.count("/once.mp4")


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_not_used(internet, get, media, monkeypatch, name):
    monkeypatch.setenv(name, "http://127.0.0.1:3128")
    internet.site.link("/film.mp4", web.body((media / "film.mp4").read_bytes()))
    get(f"{SITE}/film.mp4")
    assert internet.reached_nothing_inside()


DRESSED = [
    "http://169.254.169.254/", "http://127.0.0.1/a.mp4", "http://localhost/a.mp4", "http://%31%36%39.254.169.254/a",
    "http://local%68ost/a.mp4", "http://metadata/latest", "http://metadata.google.internal/", "http://168.63.129.16/",
    "http://0xa9fea9fe/", "http://[::ffff:10.0.0.5]/",
]  # fmt: skip


@pytest.mark.parametrize("target", DRESSED)
def test_a_proxy_of_the_settings_is_not_asked_for_an_inner_address(internet, get, target):
    """It stands inside, where such a link may well lead somewhere."""
    internet.inside.link("http://site.example/away.mp4", web.redirect(target))
    with pytest.raises(FetchFailure) as caught:
        get(f"{SITE}/away.mp4", proxy="http://10.0.0.9:3128")
    assert caught.value.outcome is Outcome.BLOCKED_ADDRESS
    assert {path for path, _ in internet.inside.asked} == {"http://site.example/away.mp4"}
    assert set(internet.reached) == {("10.0.0.9", 3128)}


@pytest.mark.parametrize(
    "link", [*DRESSED, "http://local\u00adhost/a.mp4", "http://１６９.254.169.254/", "http://①0.0.0.5/"]
)
def test_a_proxy_is_not_asked_for_a_typed_link_to_an_inner_address(internet, get, link):
    with pytest.raises(FetchFailure) as caught:
        get(link, proxy="http://10.0.0.9:3128")
    assert caught.value.outcome in REFUSED
    assert internet.reached_nothing_inside()


def test_a_proxy_is_asked_for_the_one_form_of_a_host(internet, get):
    internet.inside.link("http://video.example/dressed.mp4", web.status(404))
    with pytest.raises(FetchFailure):
        get("http://VIDEO\u00ad.%65xample./dressed.mp4", proxy="http://10.0.0.9:3128")
    assert {path for path, _ in internet.inside.asked} == {"http://video.example/dressed.mp4"}
