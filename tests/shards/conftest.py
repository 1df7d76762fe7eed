"""What the tests of the ground floor share: clips without pictures, and a real object store."""

import socket
import subprocess
import sys
import time
import uuid
from contextlib import suppress

import pytest

from shards.schema import Blob, ClipRecord, Sample


def sample(number: int, *, size: int | None = None, **changes) -> Sample:
    record = ClipRecord(
        key=f"{number:04x}",
        video_id="v",
        link="http://example.org/v.mp4",
        video_sha256="0" * 64,
        licence="CC0-1.0",
        start_us=0,
        end_us=3_000_000,
        caption="a drum",
        label=changes.pop("label", "drum"),
        frames=72,
        width_px=64,
        height_px=64,
        rate_hz=44_100,
        band="accept",
        reasons=("random_audit",),
        p_good=0.9,
        scores={"sync": 0.5 + number / 100} | changes.pop("scores", {}),
        **changes,
    )
    mp4 = bytes([number % 256]) * (700 + 13 * number if size is None else size)
    return Sample(record, mp4=Blob.of(mp4), flac=Blob.of(b"fLaC" + bytes([number % 256]) * 99))


@pytest.fixture(scope="session")
def object_store():
    """The address of an S3-compatible server, a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", f"from moto.server import main; main(['-H', '127.0.0.1', '-p', '{port}'])"]
    # Its log goes nowhere: nobody would empty a pipe, and the server would wait for that.
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port, server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    """Until it listens; a server that dies instead is an error."""
    last = time.monotonic() + 60
    while time.monotonic() < last and server.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
    raise RuntimeError("the object store did not start")


@pytest.fixture
def bucket(object_store, monkeypatch):
    """The URL of an empty prefix in it."""
    for name, value in {
        "AWS_ENDPOINT_URL": object_store,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    name = f"b{uuid.uuid4().hex}"
    s3fs.S3FileSystem().mkdir(name)
    yield f"s3://{name}/data"
    s3fs.S3FileSystem.clear_instance_cache()
