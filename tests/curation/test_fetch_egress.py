"""Links and addresses that must not be fetched, and those that may."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.fetch.egress import check_link, is_allowed, is_below, numeric_address
from curation.fetch.failures import FetchFailure
from curation.outcomes import Outcome

BAD_LINKS = [
    "",
    "film.mp4",
    "//example.com/a.mp4",
    "file:///etc/passwd",
    "ftp://example.com/a.mp4",
    "gopher://example.com/",
    "data:video/mp4,abc",
    "javascript:alert(1)",
    "ytsearch:cats",
    "http://",
    "http:///a.mp4",
    "http://example.com:0/a.mp4",
    "http://example.com:99999/a.mp4",
    "http://user:secret@example.com/a.mp4",
    "http://example.com@127.0.0.1/a.mp4",
    "http://@127.0.0.1/a.mp4",
    "http://example.com\\@127.0.0.1/a.mp4",
    "http://example.com/a b.mp4",
    "http://example.com/\r\nHost: inside",
    "http://[::1/a.mp4",
    "http://127.0.0.1/",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0177.0.0.1/",
    "http://0x7f.1/",
    "http://0/",
    "http://0.0.0.0/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/latest/meta-data/",
    "http://100.64.0.1/",
    "http://198.18.0.1/",
    "http://192.0.0.8/",
    "http://192.88.99.1/",
    "http://224.0.0.1/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://[::]/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[::7f00:1]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[64:ff9b:1::a00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2002:a00:1::]/",
    "http://[2001:0:7f00:1::]/",
    "http://[2001:db8::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fec0::1]/",
    "http://[fd00:ec2::254]/",
    "http://[ff02::1]/",
    "http://168.63.129.16/metadata",
    "http://[64:ff9b::a83f:8110]/",
    "http://161.26.0.10/",
    "http://166.9.1.1/",
    "http://[3fff::1]/",
    "http://[3fff:fff:ffff::1]/",
    "http://[2001:20::1]/",
    "http://[2001:1::1]/",
    "http://%31%36%39.254.169.254/",
    "http://169%2e254%2e169%2e254/",
    "http://%31%30.0.0.1:80/",
    "http://１６９.254.169.254/",
    "http://10\u30020.0.1/",
    "http://1\u00ad0.0.0.1/",
    "http://local%68ost/",
    "http://local\u00adhost/",
    "http://ＬＯＣＡＬＨＯＳＴ/",
    "http://a.localhost./",
    "http://metadata/",
    "http://metadata.google.internal/",
    "http://printer.local/",
    "http://router.lan/",
    "http://nas.home.arpa/",
    "http://%2531%2530.0.0.1/",
    "http://a%2fb.example/",
    "http://a%40b.example/",
    "http://a%00.example/",
    "http://a..example/",
    "http://%ff.example/",
    "s3://bucket/a.mp4",
    "http://example.com/" + "a" * 9000,
    "http://" + "a." * 130 + "example/",
]


@pytest.mark.parametrize("link", BAD_LINKS)
def test_refuses_a_link_that_is_not_to_a_public_web_host(link):
    with pytest.raises(FetchFailure) as caught:
        check_link(link)
    assert caught.value.outcome in (Outcome.BAD_LINK, Outcome.BLOCKED_ADDRESS)
    assert caught.value.detail and not caught.value.retry


@pytest.mark.parametrize(
    "link",
    [
        "https://www.youtube.com/watch?v=jNQXAC9IVRw&t=3s",
        "HTTP://EXAMPLE.COM/a.mp4",
        "http://example.com:8080/a.mp4#t=3",
        "http://93.184.216.34/a.mp4",
        "http://[2606:4700::1111]/a.mp4",
        "http://[64:ff9b::808:808]/a.mp4",
        "https://example.com/a%20b.mp4",
        "https://example.com/@user/video",
        "https://münchen.example/a.mp4",
    ],
)
def test_lets_a_public_link_pass(link):
    check_link(link)


@pytest.mark.parametrize(
    ("link", "form"),
    [
        ("HTTP://EXAMPLE.com./A?B#c", "http://example.com/A?B#c"),
        ("https://%65xample.com:8443/%41", "https://example.com:8443/%41"),
        ("https://exam\u00adple.com/", "https://example.com/"),
        ("https://ｅxample。com/", "https://example.com/"),
        ("https://MÜNCHEN.example/a", "https://xn--mnchen-3ya.example/a"),
        ("http://1572395042/", "http://93.184.216.34/"),
        ("http://0x5db8d822:80/", "http://93.184.216.34:80/"),
        ("http://[2606:4700:0:0::1111]:80/", "http://[2606:4700::1111]:80/"),
        ("https://example.com/a%20b/@c", "https://example.com/a%20b/@c"),
    ],
)
def test_a_link_has_one_form_whatever_dress_it_comes_in(link, form):
    assert check_link(link) == form
    assert check_link(form) == form


def test_an_allowed_host_is_known_in_every_dress():
    assert is_below("https://M\u00fcNCHEN.example/a", ("münchen.example",))
    assert is_below("https://xn--mnchen-3ya.example/a", ("MÜNCHEN.example",))
    assert is_below("https://www.%65xample.com/a", ("example.com",))
    assert not is_below("https://a..b/", ("b",))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "2130706433", "[::1]", "[::ffff:127.0.0.1]"])
def test_loopback_passes_when_it_is_allowed(host):
    check_link(f"http://{host}:8000/a.mp4", allow_loopback=True)


@pytest.mark.parametrize("host", ["10.0.0.1", "169.254.169.254", "0.0.0.0", "[fd00::1]", "[2002:7f00:1::]"])
def test_allowing_loopback_allows_nothing_else(host):
    with pytest.raises(FetchFailure):
        check_link(f"http://{host}/a.mp4", allow_loopback=True)


@given(st.ip_addresses(v=4))
def test_an_address_counts_the_same_in_every_dress(ip):
    number = int(ip)
    for host in (str(ip), str(number), hex(number), f"{number >> 24:#x}.{number & 0xFFFFFF}"):
        assert numeric_address(host) == str(ip)
    bare = is_allowed(str(ip), allow_loopback=False)
    assert is_allowed(f"::ffff:{ip}", allow_loopback=False) == bare
    assert is_allowed(f"64:ff9b::{number >> 16:x}:{number & 0xFFFF:x}", allow_loopback=False) == bare


def test_a_name_is_no_address():
    assert [numeric_address(host) for host in ("example.com", "10.example", "face.cafe", "１２７.0.0.1")] == [None] * 4
