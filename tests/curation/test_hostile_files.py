"""Files from a hostile server: each ends soon, with a typed outcome, and leaves nothing behind."""

import os
import socket
from pathlib import Path

import pytest

from curation.media.failures import MediaFailure
from curation.media.sandbox import MediaWorkers
from curation.media.settings import SandboxSettings
from curation.outcomes import Outcome
from tests.curation.hostile import PORT_FILE, cases

DEADLINE_S = 20.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def listener(folder):
    """A server on loopback that must never be called."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        (folder / PORT_FILE).write_text(str(server.getsockname()[1]))
        yield server


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    settings = SandboxSettings(deadline_s=DEADLINE_S, cpu_s=DEADLINE_S, memory_gib=2.0)
    with MediaWorkers(count=1, settings=settings) as pool:
        yield pool


ALL = cases(Path("/nonexistent"))


def outcome_of(work):
    try:
        work()
    except MediaFailure as failure:
        assert failure.outcome.remedy
        return failure.outcome
    return Outcome.OK


@pytest.mark.parametrize("number", range(len(ALL)), ids=[case.name for case in ALL])
def test_a_crafted_file_ends_with_its_outcome(number, folder, listener, workers):
    sources = folder / "honest"
    sources.mkdir(exist_ok=True)
    case = cases(sources)[number]
    own = folder / str(number)
    own.mkdir()
    path = case.make(own)
    before = sorted(one.name for one in own.iterdir())

    analysed = outcome_of(lambda: workers.analyse(path))
    assert analysed in case.outcomes
    cut = outcome_of(lambda: workers.cut(path, start_us=0, end_us=400_000))
    assert (cut is Outcome.OK) <= (Outcome.OK in case.outcomes)

    assert sorted(one.name for one in own.iterdir()) == before
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_there_are_more_than_sixty_of_them():
    assert len(ALL) >= 60


def test_no_child_of_them_is_left(workers):
    workers.close()
    states = [path.read_text() for path in Path("/proc").glob("[0-9]*/stat") if path.exists()]
    mine = [state for state in states if state.rsplit(")", 1)[1].split()[1] == str(os.getpid())]
    assert not [state for state in mine if state.rsplit(")", 1)[1].split()[0] == "Z"]
