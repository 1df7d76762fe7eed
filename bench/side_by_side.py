"""The same films and spans through Clapboard and through video2dataset: speed, exactness, and what a restart loses.

video2dataset runs in an environment of its own, since its pins contradict ours:

    python3 -m venv v2d && v2d/bin/pip install video2dataset "pyarrow<18" "pandas<2.3" "setuptools<80"
    clapboard bench side_by_side --peer v2d
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from bench import flash
from bench.result import Goal, Result, Row
from shards.errors import Unavailable
from shards.ffmpeg import ffmpeg_binary

SECONDS = 24.0
SPAN_S = 4.0


@dataclass(frozen=True, slots=True)
class Run:
    """One tool's clips and cost: (mp4, sound) of each clip, wall and processor seconds."""

    clips: list[tuple[bytes, bytes]]
    wall_s: float
    cpu_s: float
    said: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the peer is."""
    parser.add_argument("--peer", type=Path, required=True, help="the virtual environment that holds video2dataset")
    parser.add_argument("--films", type=int, default=8, help="films of 24 s, five clips of 4 s from each")


def run(options: argparse.Namespace) -> Result:
    """Serve films on loopback, let both fetch and cut them with one process, and measure what came out."""
    with tempfile.TemporaryDirectory() as scratch, _served(Path(scratch), options.films) as links:
        folder = Path(scratch)
        peer = partial(_peer, options.peer, links)
        runs = {
            "Clapboard": _ours(links, folder / "ours"),
            "video2dataset, low": peer(folder / "low", "low"),
            "video2dataset, low, one clip a film": peer(folder / "one", "low", single=True, sound="wav"),
            "video2dataset, exact": peer(folder / "exact", "exact"),
            "video2dataset, exact, sound apart": peer(folder / "apart", "exact", sound="wav"),
        }
        rows = [_row(name, one) for name, one in runs.items()]
        lost = _lost_on_resume(options.peer, links, folder / "resume")
    ours, exact = runs["Clapboard"], runs["video2dataset, exact"]
    own = float(rows[0]["max_ms"] or 0)
    goals = [
        Goal("offset added by our cut, largest", "<= 1 ms", f"{own:.3f} ms", own <= 1),
    ]
    speed = len(ours.clips) / ours.cpu_s / (len(exact.clips) / exact.cpu_s)
    notes = [
        f"video2dataset low, five clips a film of GOPs of 5 s, said: {runs['video2dataset, low'].said or 'nothing'}",
        f"clips per processor second, ours / video2dataset exact: {speed:.2f}",
        f"video2dataset, second of two lists after a restart: {lost} of {len(links) // 2} videos were never fetched",
        "counted: to readers that count frames and samples from zero and look at no time stamps",
        "both fetch from loopback and write WebDataset; ours also writes the exact sound as FLAC",
    ]
    return Result(rows=rows, goals=goals, notes=notes, packages=("av", "yt-dlp", "webdataset"))


def _row(name: str, one: Run) -> Row:
    found = [_events(*clip) for clip in one.clips]
    shifts = [flash.shift_ms(events) for events in found]
    known = [abs(shift) for shift in shifts if shift is not None]
    counted = [abs(shift) for events in found if (shift := flash.shift_ms(events.counted)) is not None]
    return {
        "tool": name,
        "clips": len(one.clips),
        "wall_s": round(one.wall_s, 1),
        "cpu_s_a_clip": round(one.cpu_s / len(one.clips), 3) if one.clips else None,
        "clips_a_cpu_s": round(len(one.clips) / one.cpu_s, 2),
        "median_ms": round(median(known), 3) if known else None,
        "max_ms": round(max(known), 3) if known else None,
        "counted_max_ms": round(max(counted), 3) if counted else None,
        "unmeasurable": len(shifts) - len(known),
    }


def _events(mp4: bytes, sound: bytes) -> flash.Events:
    seen = flash.events(mp4)
    if sound is mp4:
        return seen
    # Apart, each file begins at its own zero.
    heard = flash.events(sound)
    return flash.Events(seen.flashes_s, heard.clicks_s, seen.frames_s, heard.sound_s)


def _spans() -> list[tuple[float, float]]:
    return [(0.3 + 4.7 * number, 0.3 + 4.7 * number + SPAN_S) for number in range(5)]


# --- ours


def _ours(links: Sequence[str], out: Path) -> Run:
    seconds = _timed([sys.executable, "-c", "from bench.side_by_side import ours; ours()", str(out), *links])
    from shards.reader import read_samples
    from shards.snapshot import open_snapshot

    clips = [(one.mp4, one.mp4) for one in read_samples(open_snapshot(out / "snapshots", "auto"))]
    return Run(clips, *seconds)


def ours() -> None:
    """Fetch, cut and publish, in this process alone."""
    from curation.fetch.download import fetch
    from curation.fetch.settings import FetchSettings
    from curation.media.cut import cut
    from shards.publishing import publish
    from shards.schema import Blob, ClipRecord, Sample

    out, links = Path(sys.argv[1]), sys.argv[2:]
    out.mkdir()
    samples = []
    for number, link in enumerate(links):
        settings = FetchSettings(allow_loopback=True, retries=0)
        video = fetch(link, into=out, name=f"{number:04d}", settings=settings)
        for start_s, end_s in _spans():
            start_us, end_us = round(start_s * 1e6), round(end_s * 1e6)
            clip = cut(video.path, start_us=start_us, end_us=end_us)
            record = ClipRecord(
                key=f"{number:04d}{start_us:09d}", video_id=str(number), link=link, video_sha256=video.sha256,
                licence="", start_us=start_us, end_us=end_us, caption="", label="", frames=clip.frames,
                width_px=clip.width_px, height_px=clip.height_px, rate_hz=clip.rate_hz, band="accept", reasons=(),
                p_good=1.0,
            )  # fmt: skip
            samples.append(Sample(record, Blob.of(clip.mp4), Blob.of(clip.flac)))
    publish(out / "snapshots", "auto", samples, recipe={})


# --- the peer


def _peer(
    peer: Path, links: Sequence[str], out: Path, precision: str, *, single: bool = False, sound: str = "m4a"
) -> Run:
    out.mkdir()
    _list(peer, links, out / "list.parquet", single=single)
    seconds = _timed(_command(peer, out / "list.parquet", out, precision, sound=sound), env=_environment(out))
    clips = []
    for shard in sorted((out / "data").glob("*.tar")):
        with tarfile.open(shard) as tar:
            files = {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}  # type: ignore[union-attr]
        clips += [
            (data, files.get(f"{name[:-4]}.{sound}", data)) for name, data in files.items() if name.endswith(".mp4")
        ]
    told = [json.loads(file.read_text())["status_dict"] for file in (out / "data").glob("*_stats.json")]
    return Run(clips, *seconds, said="; ".join(f"{words} ({times})" for one in told for words, times in one.items()))


def _command(
    peer: Path, lists: Path, out: Path, precision: str, *, per_shard: int = 1000, sound: str = "m4a"
) -> list[str | Path]:
    config = out / "config.yaml"
    clipping = {"min_length": 0.0, "max_length": 999999.0, "max_length_strategy": "all", "precision": precision}
    settings = {
        "subsampling": {"ClippingSubsampler": {"args": clipping}},
        "reading": {
            "yt_args": {"download_size": 360, "download_audio_rate": 44100, "yt_metadata_args": None},
            "timeout": 60,
            "sampler": None,
        },
        "storage": {"number_sample_per_shard": per_shard, "oom_shard_count": 5, "captions_are_subtitles": False},
        "distribution": {
            "processes_count": 1, "thread_count": 1, "subjob_size": 1000, "distributor": "multiprocessing",
        },
    }  # fmt: skip
    config.write_text(json.dumps(settings))
    options = {
        "url_list": lists, "output_folder": out / "data", "output_format": "webdataset", "input_format": "parquet",
        "url_col": "url", "caption_col": "caption", "clip_col": "clips", "config": config,
        "encode_formats": json.dumps({"video": "mp4", "audio": sound}),
    }  # fmt: skip
    return [peer / "bin" / "video2dataset", *(f"--{name}={value}" for name, value in options.items())]


def _list(peer: Path, links: Sequence[str], file: Path, *, single: bool = False) -> None:
    """A list as the peer's own pyarrow writes it; with `single`, each film has another one of the spans."""
    spans = _spans()
    wanted = [[spans[number % len(spans)]] if single else spans for number in range(len(links))]
    code = (
        "import sys, json, pandas as pd; links = json.loads(sys.argv[2]); spans = json.loads(sys.argv[3]);"
        "rows = {'url': links, 'caption': [''] * len(links), 'clips': spans};"
        "pd.DataFrame(rows).to_parquet(sys.argv[1])"
    )
    arguments = [str(file), json.dumps(list(links)), json.dumps(wanted)]
    subprocess.run([peer / "bin" / "python", "-c", code, *arguments], check=True)


def _lost_on_resume(peer: Path, links: Sequence[str], out: Path) -> int:
    """Two lists of two shards each; the first list is done, then the process is started again."""
    lists, half = out / "lists", len(links) // 2
    lists.mkdir(parents=True)
    _list(peer, links[:half], lists / "0.parquet")
    _list(peer, links[half:], lists / "1.parquet")
    command = _command(peer, lists, out, "low", per_shard=half // 2)
    subprocess.run(command, check=True, env=_environment(out), capture_output=True)
    # What a kill after two shards leaves behind: those two, whole.
    for path in (out / "data").iterdir():
        if not path.name.startswith(("00000", "00001")):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    subprocess.run(command, check=False, env=_environment(out), capture_output=True)
    code = (
        "import sys, glob, pandas as pd; files = glob.glob(sys.argv[1] + '/*.parquet');"
        "print('\\n'.join({url for file in files for url in pd.read_parquet(file).url}))"
    )
    seen = subprocess.run(
        [peer / "bin" / "python", "-c", code, str(out / "data")], check=True, capture_output=True, text=True
    )
    return len(set(links[half:]) - set(seen.stdout.split()))


def _environment(out: Path) -> dict[str, str]:
    """The peer calls ffmpeg by name: it gets the one that we use, and the system's ffprobe."""
    tools, probe = out / "tools", shutil.which("ffprobe")
    if probe is None:
        raise Unavailable("video2dataset needs ffprobe", remedy="apt install ffmpeg")
    tools.mkdir(exist_ok=True)
    for name, target in (("ffmpeg", ffmpeg_binary()), ("ffprobe", Path(probe))):
        if not (tools / name).exists():
            (tools / name).symlink_to(target)
    return os.environ | {"PATH": f"{tools}:{os.environ['PATH']}", "WANDB_MODE": "disabled"}


def _timed(command: Sequence[str | Path], env: dict[str, str] | None = None) -> tuple[float, float]:
    """Wall seconds, and processor seconds of the process with all that it started."""
    before, begun = os.times(), perf_counter()
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    after = os.times()
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr[-2000:]}")
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return perf_counter() - begun, spent


@contextmanager
def _served(scratch: Path, count: int) -> Iterator[list[str]]:
    """Links to copies of a flash film; GOPs of five seconds, as web video has them."""
    folder = scratch / "films"
    folder.mkdir()
    film = flash.make(flash.Film(seconds=SECONDS, width_px=640, height_px=360, texture=12), folder)
    names = [f"{number}.mp4" for number in range(count)]
    for name in names:
        shutil.copy(film, folder / name)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield [f"http://127.0.0.1:{server.server_port}/{name}" for name in names]
        server.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing."""

    def copyfile(self, source: Any, outputfile: Any) -> None:
        """Who has seen enough of a file may hang up."""
        with suppress(ConnectionError):
            super().copyfile(source, outputfile)
