"""Encode every clip once: latents, sound features and words into safetensors shards with an index.

    ROOT/FINGERPRINT/  00000.safetensors + 00000.json ...  index.json

The fingerprint covers the snapshot, the codec, the encoders and the windows, so no run reads a cache that does not fit
it. Each shard is written aside and renamed, its list of entries after it; a killed build goes on with the
first shard that has no list. All frozen parts run here and never again in a training step.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from shards.errors import BadInput, SnapshotError
from shards.files import write_atomic
from shards.schema import Record
from training.backbones.base import Backbone
from training.config import WindowConfig
from training.data import ClipSet, Entry
from training.encoders.base import AudioEncoder
from training.media import fitted_sound, read_frames, read_sound
from training.progress import Progress
from training.timing import window_starts_us

INDEX = "index.json"
CLIPS_PER_SHARD = 16
_PREPROCESSING = "cover-crop, picture at frame centres, 1"


@dataclass(frozen=True, slots=True)
class CacheReport:
    """What a build did: clips that were encoded now, and clips found in shards that were there."""

    clips: ClipSet
    encoded: int
    reused: int


def build_cache(
    records: Callable[[], Iterable[Record]],
    *,
    snapshot_digest: str,
    backbone: Backbone,
    encoders: tuple[AudioEncoder, ...],
    windows: WindowConfig,
    root: Path,
    total: int | None = None,
    progress: Progress | None = None,
) -> CacheReport:
    """Encode the records that are not encoded yet.

    Args:
        records: gives the snapshot's records in their order; called once, and not at all where the index is there.
        snapshot_digest, backbone, encoders, windows: what the fingerprint covers.
        root: where caches live.
        total: how many records there are, for `progress`.
        progress: told after every shard.

    Raises:
        SnapshotError: a clip cannot be decoded, or there is none.
    """
    made_from = _made_from(snapshot_digest, backbone, encoders, windows)
    digest = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()
    folder = root / digest[:16]
    if (folder / INDEX).is_file():
        clips = _opened(folder, digest)
        return CacheReport(clips, encoded=0, reused=len({entry.clip for entry in clips.entries}))
    entries, encoded, reused = _encode_missing(
        records(),
        folder,
        partial(_encode_shard, backbone=backbone, encoders=encoders, windows=windows),
        total,
        progress,
    )
    if not entries:
        raise SnapshotError("the snapshot has no clips", remedy="publish one with `clapboard curate`")
    write_atomic(folder / INDEX, _as_json({"made_from": made_from, "entries": [asdict(one) for one in entries]}))
    return CacheReport(_opened(folder, digest), encoded, reused)


def _encode_missing(
    records: Iterable[Record],
    folder: Path,
    encode_shard: Callable[[Path, list[Record]], list[Entry]],
    total: int | None,
    progress: Progress | None,
) -> tuple[list[Entry], int, int]:
    """All entries in order, how many clips were encoded now, and how many stood in finished shards."""
    encoded = reused = 0
    entries: list[Entry] = []
    for number, part in enumerate(_parts(records, CLIPS_PER_SHARD)):
        listed = folder / f"{number:05d}.json"
        if listed.is_file():
            entries += _listed(listed)
            reused += len(part)
        else:
            made = encode_shard(folder / f"{number:05d}.safetensors", part)
            write_atomic(listed, _as_json([asdict(entry) for entry in made]))
            entries += made
            encoded += len(part)
        if progress:
            progress(encoded + reused, total or encoded + reused, f"{encoded} encoded, {reused} found")
    return entries, encoded, reused


def _encode_shard(
    path: Path, part: list[Record], *, backbone: Backbone, encoders: tuple[AudioEncoder, ...], windows: WindowConfig
) -> list[Entry]:
    tensors: dict[str, Tensor] = {"no_text": backbone.encode_text("")}
    entries: list[Entry] = []
    for record in part:
        try:
            for entry, made in _encoded(record, path.name, backbone, encoders, windows):
                entries.append(entry)
                tensors |= {
                    f"{entry.key}|{name}": tensor.clone(memory_format=torch.contiguous_format)
                    for name, tensor in made.items()
                }
        except BadInput as error:
            raise SnapshotError(f"clip {record.key}: {error.message}", remedy=error.remedy) from error
    write_atomic(path, safetensors.torch.save(tensors))
    return entries


def _encoded(
    record: Record, shard: str, backbone: Backbone, encoders: tuple[AudioEncoder, ...], windows: WindowConfig
) -> Iterator[tuple[Entry, dict[str, Tensor]]]:
    """Each window of a clip: its entry and its tensors by name."""
    waveform, rate_hz = read_sound(record.flac)
    caption = str(record.meta.get("caption") or record.meta.get("label") or "")
    window_us = round(backbone.video.duration_s * 1e6)
    starts_us = window_starts_us(
        round(len(waveform) / rate_hz * 1e6),
        window_us=window_us,
        stride_us=round(windows.stride_s * 1e6),
        limit=windows.per_clip,
    )
    centres_us = [round(centre * 1e6) for centre in backbone.video.frame_centres_s()]
    wanted = sorted({start + centre for start in starts_us for centre in centres_us})
    pictures = dict(zip(wanted, read_frames(record.mp4, wanted, size_px=backbone.size_px), strict=True))
    text = backbone.encode_text(caption)
    video_id = str(record.meta.get("video_id") or record.key)
    for number, start in enumerate(starts_us):
        frames = np.stack([pictures[start + centre] for centre in centres_us])
        made = {"latents": backbone.encode_video(frames).half(), "text": text}
        count = round(backbone.video.duration_s * rate_hz)
        heard = fitted_sound(waveform, start=round(start * rate_hz / 1e6), count=count)
        for encoder in encoders:
            bank = encoder.encode(heard, rate_hz)
            made |= {f"{encoder.name}/{layer}": value.half() for layer, value in bank.layers.items()}
        yield Entry(f"{record.key}-{number}", record.key, video_id, caption, start, shard), made


def _made_from(
    snapshot_digest: str, backbone: Backbone, encoders: tuple[AudioEncoder, ...], windows: WindowConfig
) -> dict[str, Any]:
    return {
        "snapshot": snapshot_digest,
        "codec": backbone.codec_version,
        "video": asdict(backbone.video),
        "size_px": list(backbone.size_px),
        "encoders": {encoder.name: encoder.version for encoder in encoders},
        "windows": windows.model_dump(),
        "preprocessing": _PREPROCESSING,
    }


def _parts(records: Iterable[Record], size: int) -> Iterator[list[Record]]:
    stream = iter(records)
    while part := list(islice(stream, size)):
        yield part


def _opened(folder: Path, digest: str) -> ClipSet:
    index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    return ClipSet(folder, digest, tuple(Entry(**entry) for entry in index["entries"]))


def _listed(path: Path) -> list[Entry]:
    return [Entry(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))]


def _as_json(value: Any) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode()
