"""Encode every clip once: latents, words and the sound of each encoder, each in shards of its own.

    ROOT/latents-DIGEST/  00000.safetensors + 00000.json ...
    ROOT/words-DIGEST/    ROOT/sound-mel-DIGEST/ ...

A part's digest covers the snapshot, the windows and whatever made it, so no run reads what does not fit it, and another
encoder or backbone encodes nothing anew that is there. Parts are made one after the other, so one frozen model is in
memory at a time. A shard is written aside and renamed, its note after it; a killed build goes on with the first shard
that has no note. Ranks share the shards between them. All frozen parts run here and never again in a training step.
"""

import hashlib
import json
import threading
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
from numpy.typing import NDArray
from torch import Tensor

from shards.errors import BadInput, SnapshotError, TrainingError
from shards.files import write_atomic
from shards.reader import ClipReader
from shards.schema import Record
from shards.snapshot import Snapshot
from training.cache.parts import IMAGE, Part
from training.data.clips import ClipSet, Example
from training.data.entries import Entries, Entry
from training.parallel import ALONE, World
from training.progress import Progress
from training.settings.config import WindowConfig
from training.timing import window_starts_us

CLIPS_PER_SHARD = 16


@dataclass(frozen=True, slots=True)
class CacheReport:
    """What a build did: shards of clips that were encoded now, and clips all of whose shards were there."""

    clips: ClipSet
    encoded: int
    reused: int


@dataclass(frozen=True)
class CachedClips:
    """Encoded windows on disk."""

    folders: tuple[Path, ...]
    digest: str
    entries: Entries

    def __len__(self) -> int:
        return len(self.entries)

    def example(self, number: int) -> Example:
        """The tensors of entry `number`, float32.

        Raises:
            TrainingError: a shard is damaged.
        """
        entry = self.entries[number]
        tensors: dict[str, Tensor] = {}
        for folder in self.folders:
            tensors |= _read(folder / f"{entry.number // CLIPS_PER_SHARD:05d}.safetensors", entry)
        return as_example(tensors)

    def only(self, rows: NDArray[np.bool_]) -> "CachedClips":
        """The same with some of its entries."""
        return replace(self, entries=self.entries.take(rows))


@dataclass(frozen=True)
class LiveClips:
    """The same windows, encoded whenever they are asked for: slow, and exactly the same numbers."""

    snapshot: Snapshot
    parts: tuple[Part, ...]
    digest: str
    entries: Entries = field(repr=False)
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.entries)

    def example(self, number: int) -> Example:
        """The tensors of entry `number`, as the cache would give them."""
        entry = self.entries[number]
        record = self._reader[entry.number]
        tensors: dict[str, Tensor] = {}
        # One loader at a time: two would load each frozen model twice.
        with self._turn:
            for part in self.parts:
                tensors |= {name: tensor.float() for name, tensor in part.shared().items()}
                tensors |= {name: tensor.float() for name, tensor in _encoded(part, record, [entry])[0].items()}
        return as_example(tensors)

    def only(self, rows: NDArray[np.bool_]) -> "LiveClips":
        """The same with some of its entries."""
        return replace(self, entries=self.entries.take(rows))

    @cached_property
    def _reader(self) -> ClipReader:
        return ClipReader(self.snapshot)


def as_example(tensors: dict[str, Tensor]) -> Example:
    """A window's tensors by what they are."""
    fixed = {name: tensors.pop(name) for name in ("latents", "text", "no_text")}
    image = {name.removeprefix(IMAGE): tensors.pop(name) for name in list(tensors) if name.startswith(IMAGE)}
    return Example(spread=tensors.pop("spread", None), features=tensors, image=image, **fixed)


def plan_windows(snapshot: Snapshot, windows: WindowConfig, *, duration_s: float) -> Entries:
    """The windows of every clip, from the index alone.

    Raises:
        SnapshotError: there is no clip.
    """
    clips = snapshot.index(["key", "video_id", "caption", "label", "start_us", "end_us"])
    if not len(clips):
        raise SnapshotError(f"{snapshot.id} has no clips", remedy="publish one with `clapboard curate`")
    return windows_of(clips, windows, duration_s=duration_s)


def windows_of(clips: Any, windows: WindowConfig, *, duration_s: float) -> Entries:
    """The windows of clips that an arrow table names, a row each: see `Entries`, and `start_us`, `end_us`."""
    numbers, places, starts_us = window_starts_us(
        clips["end_us"].to_numpy() - clips["start_us"].to_numpy(),
        window_us=round(duration_s * 1e6),
        stride_us=round(windows.stride_s * 1e6),
        limit=windows.per_clip,
    )
    named = clips.drop_columns(["start_us", "end_us"])
    return Entries(named, numbers.astype(np.int32), places.astype(np.int16), starts_us)


def build_cache(
    snapshot: Snapshot,
    parts: Sequence[Part],
    windows: WindowConfig,
    *,
    duration_s: float,
    root: Path,
    world: World = ALONE,
    progress: Progress | None = None,
) -> CacheReport:
    """Encode what is not encoded yet.

    Args:
        snapshot: whose clips.
        parts: what to encode, and with what.
        windows, duration_s: which stretches of a clip.
        root: where caches live.
        world: ranks that build together; each returns when all are done.
        progress: told after every shard, of shards of all parts.

    Raises:
        SnapshotError: a clip cannot be decoded, or there is none.
        Unavailable: an encoder's weights are not here.
    """
    entries = plan_windows(snapshot, windows, duration_s=duration_s)
    shards = 1 + int(entries.numbers[-1]) // CLIPS_PER_SHARD
    folders = tuple(root / f"{part.name}-{_digest(part, snapshot, entries)[:16]}" for part in parts)
    reader, done, fresh = ClipReader(snapshot), 0, set[int]()
    for part, folder in zip(parts, folders, strict=True):
        there = {note.stem for note in folder.glob("*.json")}
        for number in range(shards):
            if number % world.size == world.rank and f"{number:05d}" not in there:
                _write_shard(folder, number, part, reader, _of_shard(entries, number))
                fresh.add(number)
            done += 1
            if progress:
                progress(done, len(parts) * shards, f"{part.name}, {len(fresh)} shards encoded")
        part.release()
    reader.close()
    world.wait()
    digest = hashlib.sha256("".join(folder.name for folder in folders).encode()).hexdigest()
    encoded = world.total(sum(len(np.unique(_of_shard(entries, number).numbers)) for number in fresh))
    clips = len(np.unique(entries.numbers))
    return CacheReport(CachedClips(folders, digest, entries), encoded, clips - encoded)


def live_clips(snapshot: Snapshot, parts: Sequence[Part], windows: WindowConfig, *, duration_s: float) -> LiveClips:
    """The windows without a cache; all frozen models stay in memory."""
    entries = plan_windows(snapshot, windows, duration_s=duration_s)
    names = "".join(f"{part.name}-{_digest(part, snapshot, entries)[:16]}" for part in parts)
    return LiveClips(snapshot, tuple(parts), hashlib.sha256(names.encode()).hexdigest(), entries)


def _write_shard(folder: Path, number: int, part: Part, reader: ClipReader, entries: Entries) -> None:
    tensors = {f"|{name}": tensor for name, tensor in part.shared().items()}
    clips: dict[int, list[Entry]] = {}
    for entry in entries:
        clips.setdefault(entry.number, []).append(entry)
    for row, windows in clips.items():
        for entry, made in zip(windows, _encoded(part, reader[row], windows), strict=True):
            tensors |= {f"{entry.key}|{name}": tensor.contiguous() for name, tensor in made.items()}
    tensors = {name: tensor.clone() for name, tensor in tensors.items()}
    data = safetensors.torch.save(tensors, metadata={name: _checksum(tensor) for name, tensor in tensors.items()})
    write_atomic(folder / f"{number:05d}.safetensors", data)
    note = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "windows": [asdict(one) for one in entries]}
    write_atomic(folder / f"{number:05d}.json", json.dumps(note, indent=1, sort_keys=True).encode())


def _encoded(part: Part, record: Record, windows: list[Entry]) -> list[dict[str, Tensor]]:
    try:
        return part.encode(record, windows)
    except BadInput as error:
        raise SnapshotError(f"clip {record.key}: {error.message}", remedy=error.remedy) from error


def _read(path: Path, entry: Entry) -> dict[str, Tensor]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as shard:
            sums, tensors = shard.metadata() or {}, {}
            for name in sums:
                if name.startswith((f"{entry.key}|", "|")):
                    tensor = shard.get_tensor(name)
                    if _checksum(tensor) != sums[name]:
                        raise SafetensorError(f"{name} is not what was written")
                    tensors[name.partition("|")[2]] = tensor.float()
            return tensors
    except (OSError, SafetensorError) as error:
        raise TrainingError(
            f"a shard of the cache cannot be read: {path}: {error}",
            remedy=f"delete {path.with_suffix('.json')} and run again: it is encoded anew",
        ) from error


def _checksum(tensor: Tensor) -> str:
    """CRC-32 of a tensor's bytes: read with every window, so it must cost nothing beside the reading."""
    return f"{zlib.crc32(tensor.contiguous().numpy().data):08x}"


def _of_shard(entries: Entries, number: int) -> Entries:
    """The windows of a shard's clips; those of a clip, and clips, stand in order."""
    first, last = np.searchsorted(entries.numbers, (number * CLIPS_PER_SHARD, (number + 1) * CLIPS_PER_SHARD))
    return entries[first:last]


def _digest(part: Part, snapshot: Snapshot, entries: Entries) -> str:
    made_from: dict[str, Any] = {
        "snapshot": snapshot.digest,
        "made by": part.version,
        "windows": entries.digest(),
        "clips in a shard": CLIPS_PER_SHARD,
        "layout": 3,
    }
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()
