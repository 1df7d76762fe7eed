"""Files of this machine are looked at before they are read through."""

import os

import pytest

from curation.fetch.failures import FetchFailure
from curation.fetch.local import take_local
from curation.fetch.settings import FetchSettings
from curation.home.folder import Home
from curation.media.failures import Stopped
from curation.outcomes import Outcome
from curation.sources.read import iter_sources
from curation.steps.ingest import fetch_video, register, videos_to_fetch

HEAD = b"\0\0\0\x18ftypmp42"
SECRET = b"sheep-in-the-meadow"


@pytest.fixture
def huge(tmp_path):
    """A file of 50 GB that takes no room; it begins like a film, or like nothing."""

    def make(head: bytes):
        path = tmp_path / "huge.mp4"
        with path.open("wb") as file:
            file.write(head)
            file.truncate(50 << 30)
        return path

    return make


def refused(path, **settings) -> FetchFailure:
    with pytest.raises(FetchFailure) as caught:
        take_local(path, FetchSettings(**settings))
    return caught.value


def test_length_and_first_bytes_are_looked_at_first(huge):
    assert refused(huge(HEAD)).outcome is Outcome.TOO_LARGE
    assert refused(huge(SECRET), max_bytes=1 << 50).outcome is Outcome.NOT_A_VIDEO


@pytest.mark.parametrize("before", [0, 4])
def test_transport_streams_of_camcorders_are_taken(tmp_path, before):
    """As they stand in a folder; packets of 192 bytes are told by eight of them."""
    (tmp_path / "00000.mts").write_bytes((bytes(before) + b"\x47" + bytes(187)) * 9)
    assert take_local(tmp_path / "00000.mts", FetchSettings())


def test_reading_a_file_through_has_a_deadline(huge):
    assert refused(huge(HEAD), max_bytes=1 << 50, deadline_s=0.1).outcome is Outcome.TIMED_OUT


def test_a_run_that_ends_does_not_read_a_file_through(huge):
    asked = []

    def stopped():
        asked.append(True)
        return len(asked) > 3

    with pytest.raises(Stopped):
        take_local(huge(HEAD), FetchSettings(max_bytes=1 << 50), stopped=stopped)


def test_a_run_that_ends_records_nothing_of_what_it_did_not_take(empty_ledger, huge, tmp_path):
    register(empty_ledger, iter_sources([huge(HEAD)]))
    (video_id,) = videos_to_fetch(empty_ledger)
    asked = iter([False, False, True])
    with pytest.raises(Stopped):
        fetch_video(
            empty_ledger,
            video_id,
            home=Home(tmp_path),
            settings=FetchSettings(max_bytes=1 << 50),
            stopped=lambda: next(asked),
        )
    assert videos_to_fetch(empty_ledger) == [video_id]


@pytest.mark.parametrize("length", [0, 1, 400, 4000])
def test_what_a_file_holds_is_not_told(tmp_path, length):
    path = tmp_path / "a.mp4"
    path.write_bytes((SECRET * 400)[:length])
    failure = refused(path)
    assert failure.outcome is (Outcome.NOT_A_VIDEO if length else Outcome.EMPTY_FILE)
    assert "sheep" not in str(failure) and SECRET.hex()[:8] not in str(failure)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.mp4")
    assert refused(tmp_path / "a.mp4").outcome is Outcome.FILE_MISSING
