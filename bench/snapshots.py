"""What publishing, appending, taking down and verifying cost in bytes and in time, on clips of real-looking sizes."""

import argparse
import hashlib
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import TypeVar

import numpy as np

from bench.result import Goal, Result, Row
from shards.files import sha256_of
from shards.packing import spread
from shards.publishing import publish
from shards.schema import Blob, ClipRecord, Sample
from shards.snapshot import Snapshot, open_snapshot
from shards.takedown import take_down
from shards.verifying import verify

SPREAD = 0.02

Made = TypeVar("Made")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How much is published."""
    parser.add_argument("--clips", type=int, default=4096, help="clips of 100 to 500 kB")


def run(options: argparse.Namespace) -> Result:
    """Publish, append a tenth, take one video down, verify; rates are against copying and hashing the same bytes."""
    rows = list[Row]()
    with tempfile.TemporaryDirectory() as scratch:
        root, clips = Path(scratch) / "snapshots", clips_on_disk(options.clips + options.clips // 10, Path(scratch))
        # Importing webdataset and torch takes seconds once, whatever is published.
        publish(root, "warm", clips[:1], recipe={})
        first, whole_s = _timed(lambda: publish(root, "auto", clips[: options.clips], recipe={}))
        size, copy_s = _copied(first.snapshot, Path(scratch) / "copy")
        rows.append(_line("publish", first.written_bytes, 0, whole_s, copy_s, "copying and hashing them"))
        more, append_s = _timed(lambda: publish(root, "auto", clips, recipe={}))
        written, shared = more.written_bytes, more.shared_bytes
        rows.append(_line("append a tenth", written, shared, append_s, copy_s / 10, "copying a tenth"))
        faults, verify_s = _timed(lambda: verify(first.snapshot))
        hash_s = _timed(lambda: [sha256_of(path) for path in first.snapshot.shards()])[1]
        rows.append(_line("verify", size, 0, verify_s, hash_s, "hashing them one by one"))
        sizes = [int(shard["bytes"]) for shard in first.snapshot.manifest["shards"]]
        gone, gone_s = _timed(lambda: take_down(root, {clips[0].record.key}, reason="bench", at=datetime.now(UTC)))
        left = open_snapshot(root, "auto")
        kept = sum(int(shard["bytes"]) for shard in left.manifest["shards"]) - gone[0].written_bytes
        written, a_shard_s = gone[0].written_bytes, copy_s / len(sizes)
        rows.append(_line("take one clip down", written, kept, gone_s, a_shard_s, "copying a shard"))
        faults = faults + verify(left)
    uneven = spread(sizes)
    goals = [
        Goal(f"spread of bytes over {len(sizes)} shards", f"<= {SPREAD:.0%}", f"{uneven:.3%}", uneven <= SPREAD),
        Goal("bytes written again by an append", "0", str(0 if more.shared_bytes else size), more.shared_bytes > 0),
        Goal("faults found in what was published", "0", str(len(faults)), not faults),
    ]
    notes = [f"{options.clips} clips, 256 a shard"]
    return Result(rows=rows, goals=goals, notes=notes, packages=("webdataset", "pyarrow"))


def clips_on_disk(count: int, folder: Path) -> list[Sample]:
    """Clips whose media lie on the disk, sizes log-normal as encoders make them."""
    chance = np.random.default_rng(0)
    noise = chance.integers(0, 256, 4 << 20, np.uint8).tobytes()
    made = []
    for number, size in enumerate(chance.lognormal(12.2, 0.5, count).astype(int)):
        blobs = []
        for kind, length in (("mp4", int(size)), ("flac", 60_000)):
            first = int(chance.integers(0, len(noise) - length)) if length < len(noise) else 0
            data, path = noise[first : first + length], folder / f"{number:06d}.{kind}"
            path.write_bytes(data)
            blobs.append(Blob.at(path, size=len(data), sha256=hashlib.sha256(data).hexdigest()))
        record = ClipRecord(
            key=f"{number:020d}", video_id=f"v{number}", link=f"https://example.org/{number}", video_sha256="",
            licence="", start_us=0, end_us=3_000_000, caption="", label="", frames=72, width_px=640, height_px=360,
            rate_hz=44_100,
            band="accept", reasons=(), p_good=0.9, scores={"sync": 0.5},
        )  # fmt: skip
        made.append(Sample(record, *blobs))
    return made


def _timed(work: Callable[[], Made]) -> tuple[Made, float]:
    begun = perf_counter()
    made = work()
    return made, perf_counter() - begun


def _copied(snapshot: Snapshot, to: Path) -> tuple[int, float]:
    """Bytes of all shards, and seconds to copy each and hash the copy."""
    to.mkdir()

    def copy() -> int:
        for path in snapshot.shards():
            shutil.copyfile(path, to / path.name)
            sha256_of(to / path.name)
        return sum(path.stat().st_size for path in snapshot.shards())

    size, seconds = _timed(copy)
    return size, seconds


def _line(step: str, written: int, shared: int, seconds: float, reference_s: float, reference: str) -> Row:
    return {
        "step": step,
        "written_mb": round(written / 1e6, 1),
        "shared_mb": round(shared / 1e6, 1),
        "seconds": round(seconds, 2),
        "reference_s": round(reference_s, 2),
        "reference": reference,
        "ratio": round(reference_s / seconds, 2),
    }
