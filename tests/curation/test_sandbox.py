"""Workers that decode: the same answers as in this process, and whatever a file does ends in a typed outcome."""

import io
import os
import select
import signal
import subprocess
import sys
import tempfile
import textwrap
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
import pytest

from curation.media.analyse import analyse
from curation.media.cut import CutClip, cut
from curation.media.failures import MediaFailure, Stopped
from curation.media.sandbox import MediaWorkers
from curation.media.settings import AnalysisSettings, SandboxSettings
from curation.media.wire import WireError, packed, receive, send, unpacked
from curation.outcomes import Outcome
from shards.ffmpeg import ffmpeg_binary
from tests.curation.hostile import cases, write
from tests.waiting import alive, command_line, until
from tests.waiting import children as children_of


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return write(tmp_path_factory.mktemp("sandbox") / "film.mp4")


@pytest.fixture
def workers():
    with MediaWorkers(count=2) as pool:
        yield pool


@pytest.fixture(autouse=True)
def children():
    """Tells the workers that a test started, and sees that none of them is left; other tests' pools may still run."""
    before = set(media_workers())
    yield lambda: [pid for pid in media_workers() if pid not in before]
    assert set(media_workers()) <= before


def media_workers() -> list[int]:
    """Workers of this process."""
    return [pid for pid in children_of(os.getpid()) if b"curation.media.worker" in command_line(pid)]


def test_a_worker_answers_as_this_process_does(film, workers):
    settings = AnalysisSettings(thumb_hz=2, rate_hz=8000)
    ours, theirs = analyse(film, settings=settings), workers.analyse(film, settings=settings)
    for name in ours.__slots__:
        assert np.array_equal(getattr(ours, name), getattr(theirs, name)), name
    ours_cut, theirs_cut = cut(film, start_us=0, end_us=400_000), workers.cut(film, start_us=0, end_us=400_000)
    for name in ours_cut.__slots__:
        assert getattr(ours_cut, name) == getattr(theirs_cut, name), name


def test_a_failure_keeps_its_outcome_and_its_words(tmp_path, workers):
    (tmp_path / "page.mp4").write_bytes(b"<html>" * 100)
    with pytest.raises(MediaFailure, match="first bytes") as failure:
        workers.analyse(tmp_path / "page.mp4")
    assert failure.value.outcome is Outcome.NOT_A_VIDEO


def test_many_threads_share_few_workers(film, workers, children):
    with ThreadPoolExecutor(8) as threads:
        durations = list(threads.map(lambda _: workers.analyse(film).duration_us, range(24)))
    assert set(durations) == {2_000_000}
    assert len(children()) <= 2


def test_a_worker_has_no_network_where_the_kernel_allows_that(workers):
    can = subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode == 0
    assert workers.offline() or not can


def test_a_job_that_never_ends_is_killed_at_the_deadline_and_the_next_goes_on(film, children):
    # Long enough for a busy machine to import a decoder in.
    with MediaWorkers(count=1, settings=SandboxSettings(deadline_s=4)) as pool:
        pool.analyse(film)
        (worker,) = children()
        os.kill(worker, signal.SIGSTOP)
        with pytest.raises(MediaFailure) as failure:
            pool.analyse(film)
        assert failure.value.outcome is Outcome.DECODE_TIMED_OUT
        assert not alive(worker)
        assert pool.analyse(film).duration_us == 2_000_000


def test_what_is_stopped_ends_what_is_at_work_and_blames_no_file(tmp_path, children):
    long = tmp_path / "long.mp4"
    drawn = ["-f", "lavfi", "-i", "testsrc2=s=1280x720:r=25:d=60", "-f", "lavfi", "-i", "sine=d=60"]
    subprocess.run([ffmpeg_binary(), "-v", "error", *drawn, "-preset", "ultrafast", long], check=True)
    with ThreadPoolExecutor(2) as threads, MediaWorkers(count=2) as workers:
        asked = [threads.submit(workers.analyse, long) for _ in range(2)]
        until(lambda: len(workers.at_work()) == 2)
        workers.stop()
        for one in asked:
            with pytest.raises(Stopped):
                one.result(timeout=10)
        with pytest.raises(Stopped):
            workers.analyse(long)
    assert not children()


def test_a_crash_is_an_outcome_and_the_next_job_has_a_new_worker(film, children):
    with MediaWorkers(count=1) as pool:
        pool.analyse(film)
        (worker,) = children()
        os.kill(worker, signal.SIGSEGV)
        with pytest.raises(MediaFailure, match="SIGSEGV") as failure:
            pool.analyse(film)
        assert failure.value.outcome is Outcome.DECODER_CRASHED
        assert pool.analyse(film).duration_us == 2_000_000


def test_more_memory_than_allowed_is_an_outcome(tmp_path):
    (greedy,) = (case for case in cases(tmp_path) if case.name == "a table of four billion entries")
    film = greedy.make(tmp_path)
    with MediaWorkers(count=1, settings=SandboxSettings(memory_gib=1)) as pool:
        with pytest.raises(MediaFailure) as failure:
            pool.analyse(film)
        assert failure.value.outcome is Outcome.TOO_MUCH_MEMORY


def test_more_processor_time_than_allowed_is_an_outcome(tmp_path):
    short, film = write(tmp_path / "short.mkv", size=(640, 360), frames=100), tmp_path / "long.mkv"
    again = [ffmpeg_binary(), "-v", "error", "-stream_loop", "60", "-i", short, "-c", "copy", film]
    subprocess.run(again, check=True)
    with MediaWorkers(count=1, settings=SandboxSettings(cpu_s=0.1)) as pool:
        with pytest.raises(MediaFailure, match="processor time") as failure:
            pool.analyse(film)
        assert failure.value.outcome is Outcome.DECODE_TIMED_OUT


def test_a_worker_is_replaced_after_its_jobs(film, children):
    with MediaWorkers(count=1, settings=SandboxSettings(jobs_per_worker=2)) as pool:
        seen = set()
        for _ in range(4):
            pool.analyse(film)
            seen |= set(children())
        assert len(seen) == 2


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_when_the_parent_dies(film, tmp_path, number):
    program = textwrap.dedent(f"""
        import os, signal, sys
        from pathlib import Path
        from curation.media.sandbox import MediaWorkers
        if __name__ == "__main__":
            pool = MediaWorkers(count=1)
            pool.analyse(Path({str(film)!r}))
            print(Path(f"/proc/{{os.getpid()}}/task/{{os.getpid()}}/children").read_text(), flush=True)
            signal.pause()
    """)
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment)
    worker = int(parent.stdout.readline())
    assert alive(worker)
    handle = os.pidfd_open(worker)
    parent.send_signal(number)
    parent.wait()
    parent.stdout.close()
    # The handle becomes readable when the worker has ended.
    assert select.select([handle], [], [], 10)[0]
    os.close(handle)
    assert list(tmp_path.iterdir()) == []


def test_a_worker_leaves_no_files_behind(film, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with MediaWorkers(count=1) as pool:
        pool.cut(film, start_us=0, end_us=400_000)
        assert list(tmp_path.iterdir()) != []
    assert list(tmp_path.iterdir()) == []


def test_messages_come_back_as_they_were_sent(film):
    made = cut(film, start_us=0, end_us=400_000)
    pipe = io.BytesIO()
    head, blobs = packed(made)
    send(pipe, head, blobs)
    pipe.seek(0)
    assert unpacked(CutClip, *receive(pipe, max_bytes=1 << 20)) == made


@pytest.mark.parametrize(
    "lie",
    [
        b"",
        b"\xff" * 8,
        (4).to_bytes(8) + b"nope",
        (2).to_bytes(8) + b"[]",
        (12).to_bytes(8) + b'{"blobs": 1}',
        (len(b'{"blobs": [-5]}')).to_bytes(8) + b'{"blobs": [-5]}',
        (len(b'{"blobs": [99999999999]}')).to_bytes(8) + b'{"blobs": [99999999999]}',
    ],
)
def test_a_lying_worker_is_not_believed(lie):
    with pytest.raises(WireError):
        receive(io.BytesIO(lie), max_bytes=1000)


@pytest.mark.parametrize("dtype", ["object", "O", "float64", "nonsense"])
def test_an_array_of_another_kind_is_refused(dtype, film):
    head, blobs = packed(cut(film, start_us=0, end_us=400_000))
    head["mp4"] = {"dtype": dtype, "shape": [1]}
    with pytest.raises(WireError):
        unpacked(CutClip, head, [bytes(blob) for blob in blobs])


def test_what_a_recipe_lets_be_analysed_can_be_cut_too(tmp_path):
    """The cutter opens the file anew: under the caps of the recipe, not under those that nobody set."""
    fast = write(tmp_path / "fast.mp4", fps=1000)
    with MediaWorkers(count=1, analysis=AnalysisSettings(max_fps=2000)) as pool:
        assert pool.analyse(fast).duration_us == 50_000
        assert pool.cut(fast, start_us=0, end_us=50_000).frames == 50
    with MediaWorkers(count=1) as pool:
        with pytest.raises(MediaFailure, match=r"`analysis\.max_fps`") as failure:
            pool.cut(fast, start_us=0, end_us=50_000)
        assert "analysis.max_" in failure.value.remedy


def test_a_small_file_that_says_it_lasts_for_hours_does_not_fill_this_process(tmp_path):
    """Packets hours apart in some kilobytes: whatever a worker makes of them, this process takes no gigabyte."""
    sparse = far_apart(write(tmp_path / "film.mkv"), tmp_path / "sparse.mkv", seconds=13_000)
    before = peak_mib()
    with MediaWorkers(count=1) as pool, suppress(MediaFailure):
        pool.analyse(sparse)
    assert peak_mib() - before < 200


def far_apart(film: Path, path: Path, *, seconds: int) -> Path:
    """The first packets of picture and sound, and one more of each so much later."""
    with av.open(str(film)) as source, av.open(str(path), "w") as made:
        streams = {one.index: made.add_stream_from_template(one) for one in source.streams}
        packets = [one for one in source.demux() if one.dts is not None]
        video, audio = ([one for one in packets if one.stream.type == kind] for kind in ("video", "audio"))
        for packet in (video[1], audio[3]):
            packet.pts = packet.dts = round(seconds / packet.time_base)
        for packet in (video[0], *audio[:3], video[1], audio[3]):
            packet.stream = streams[packet.stream.index]
            made.mux(packet)
    return path


def peak_mib() -> float:
    """The most that was ever resident in this process."""
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
