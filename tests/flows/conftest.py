"""What tests of flows share."""

import os
import socket

import pytest

from curation.home.folder import Home
from tests.operating import SOON, Running, up


@pytest.fixture(scope="module")
def silence():
    """A link to a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield f"http://127.0.0.1:{silent.getsockname()[1]}/film.mp4"


@pytest.fixture(scope="session")
def running(tmp_path_factory) -> Running:
    """A server with every deployment and a worker for each pool, for all homes and all files: a start is dear.

    Whoever uses it leaves it as it was: no schedule, no channel and no run of theirs.
    """
    home = Home(tmp_path_factory.mktemp("running") / "home")
    with up(home, "--only", "server", "--only", "workers", said="logs:", **SOON) as running:
        yield running


@pytest.fixture
def api_url(running, monkeypatch) -> str:
    """The API of that server, which whatever is started now uses."""
    for name in [name for name in os.environ if name.startswith("PREFECT_API")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PREFECT_API_URL", running.url)
    return running.url
