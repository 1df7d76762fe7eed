"""Objects and members of tars: what is refused, and that a shard is not read through for each of its members."""

import io
import socket
import tarfile
import time

import pytest

from curation.fetch.egress import is_below
from curation.fetch.failures import FetchFailure
from curation.fetch.objects import fetch_object, take_member
from curation.fetch.settings import FetchSettings
from curation.outcomes import Outcome

FILM = b"\0\0\0\x20ftypisom" + bytes(500)
SETTINGS = FetchSettings(timeout_s=1)


def tar_of(path, members):
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize(
    "link",
    [
        "file:///etc/passwd", "/etc/passwd", "local:///etc/passwd", "http://169.254.169.254/", "memory://a", "ftp://a/b",
        "s3://a::file:///etc/passwd", "simplecache::s3://a/b", "zip://a.mp4::s3://bucket/a.zip", "S3://bucket/a",
        "s3:a",
    ],
)  # fmt: skip
def test_only_object_stores_are_opened(link, tmp_path):
    """The library behind them opens local files, servers and chains of them just as gladly."""
    with pytest.raises(FetchFailure) as caught:
        fetch_object(link, into=tmp_path, name="v", settings=SETTINGS)
    assert caught.value.outcome is Outcome.BAD_LINK
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_cannot_be_reached_or_knows_no_credentials_is_a_typed_failure(tmp_path, monkeypatch):
    s3fs = pytest.importorskip("s3fs")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{closed.getsockname()[1]}")
        for known, outcomes in ((True, {Outcome.UNREACHABLE}), (False, {Outcome.LOGIN_REQUIRED, Outcome.UNREACHABLE})):
            for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
                monkeypatch.setenv(name, "testing") if known else monkeypatch.delenv(name, raising=False)
            monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
            monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
            s3fs.S3FileSystem.clear_instance_cache()
            with pytest.raises(FetchFailure) as caught:
                fetch_object("s3://bucket/a.mp4", into=tmp_path, name="v", settings=SETTINGS)
            assert caught.value.outcome in outcomes, caught.value.detail
    s3fs.S3FileSystem.clear_instance_cache()


def test_a_tar_of_many_is_read_through_once(tmp_path):
    tar = tar_of(tmp_path / "a.tar", {f"{number:05}.mp4": FILM for number in range(3000)})
    begun = time.perf_counter()
    take_member(tar, "00000.mp4", into=tmp_path, name="first", settings=SETTINGS)
    once = time.perf_counter() - begun
    begun = time.perf_counter()
    for number in range(0, 3000, 100):
        take_member(tar, f"{number:05}.mp4", into=tmp_path, name=f"v{number}", settings=SETTINGS)
    assert time.perf_counter() - begun < 10 * once + 0.5
    assert (tmp_path / "v2900.mp4").read_bytes() == FILM


def test_a_tar_that_was_written_anew_is_read_anew(tmp_path):
    tar = tar_of(tmp_path / "a.tar", {"a.mp4": FILM})
    take_member(tar, "a.mp4", into=tmp_path, name="first", settings=SETTINGS)
    tar_of(tar, {"b.mp4": FILM + b"b", "a.mp4": FILM + b"a"})
    got = take_member(tar, "a.mp4", into=tmp_path, name="second", settings=SETTINGS)
    assert got.path.read_bytes() == FILM + b"a"
    with pytest.raises(FetchFailure, match=r"no c\.mp4"):
        take_member(tar, "c.mp4", into=tmp_path, name="third", settings=SETTINGS)


@pytest.mark.parametrize(
    ("link", "hosts", "below"),
    [
        ("https://example.com/a", ("example.com",), True),
        ("https://m.EXAMPLE.com./a", ("Example.com",), True),
        ("https://badexample.com/a", ("example.com",), False),
        ("https://example.com.evil.example/a", ("example.com",), False),
        ("https://example.com@evil.example/a", ("example.com",), False),
        ("http://127.0.0.1/a", ("0.0.1",), False),
        ("http://127.0.0.1/a", ("127.0.0.1",), True),
        ("nonsense", ("example.com",), False),
    ],
)
def test_a_host_is_below_another_by_whole_labels(link, hosts, below):
    assert is_below(link, hosts) is below
