"""What every test shares: no hub, few threads, the optional corpus of real clips, and a real object store."""

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")
ROOT = Path(__file__).resolve().parent.parent
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that runs the tests in the background has them ignore Ctrl-C, and every program they start would too.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: for a quarter of their time, tests wait for servers and browsers."""
    return len(os.sched_getaffinity(0)) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first, so that no worker has one left when the others are done."""
    slow = {item.path for item in items if any(map(item.get_closest_marker, ("slow", "end_to_end")))}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real test clips, named by CLAPBOARD_CORPUS or lying beside the checkout."""
    folder = Path(os.environ.get("CLAPBOARD_CORPUS", ROOT.parent / "shared" / "corpus"))
    if not (folder / "corpus.csv").is_file():
        pytest.skip("no corpus of real clips here; name one with CLAPBOARD_CORPUS")
    return folder


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
