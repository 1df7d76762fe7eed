"""The record of one published clip, and what an index row says about it.

A clip stands in a shard as three files of one key: `KEY.mp4` (H.264 + AAC), `KEY.flac` (the exact sound) and
`KEY.json` (this record). The index holds one row per clip: the record's columns, every score as `score_NAME`, and
where its bytes lie (`offset` and `size` of the clip in its shard; `mp4_offset`, `mp4_size`, `flac_offset`,
`flac_size` of the media alone). docs/contracts.md is the prose of this file.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class ClipRecord:
    """What is known about a published clip.

    Attributes:
        key: the clip's id, a hash of (video id, start, end).
        video_id, link, video_sha256, licence: where it came from.
        start_us, end_us: the span on the source's own clock.
        caption, label: the words that go with it; `label` is the class.
        frames, width_px, height_px, rate_hz: what was cut.
        band, reasons, p_good: the automatic decision.
        verdict: a reviewer's answer, or None: {"verdict", "reviewer", "reason"}.
        scores: the worst value of each score column over the clip's windows.
        lineage: policy digest, score versions, code version.
    """

    key: str
    video_id: str
    link: str
    video_sha256: str
    licence: str
    start_us: int
    end_us: int
    caption: str
    label: str
    frames: int
    width_px: int
    height_px: int
    rate_hz: int
    band: str
    reasons: tuple[str, ...]
    p_good: float
    verdict: dict[str, str] | None = None
    scores: dict[str, float] = field(default_factory=dict)
    lineage: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """Canonical JSON: sorted keys, no timestamps, so that equal records are equal bytes."""
        return json.dumps({"schema": SCHEMA_VERSION, **self._fields()}, sort_keys=True, ensure_ascii=False).encode()

    @classmethod
    def of(cls, meta: dict[str, Any]) -> "ClipRecord":
        """The record again, from its parsed JSON."""
        fields = {name: value for name, value in meta.items() if name != "schema"}
        return cls(**fields | {"reasons": tuple(meta["reasons"])})

    def to_row(self) -> dict[str, Any]:
        """The record as flat index columns."""
        row = {name: value for name, value in self._fields().items() if name not in ("scores", "lineage", "verdict")}
        row["duration_us"] = self.end_us - self.start_us
        row["reasons"] = list(self.reasons)
        row["verdict"] = self.verdict["verdict"] if self.verdict else None
        return row | {f"score_{name}": value for name, value in sorted(self.scores.items())}

    def _fields(self) -> dict[str, Any]:
        # Not `asdict`: its deep copy would take longer than all the rest of a publication.
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes that need not be in memory: how many, their sha256, how to get them, and the file that they are, if any."""

    size: int
    sha256: str
    read: Callable[[], bytes]
    path: Path | None = None

    @classmethod
    def of(cls, data: bytes) -> "Blob":
        """Bytes in memory."""
        return cls(len(data), hashlib.sha256(data).hexdigest(), lambda: data)

    @classmethod
    def at(cls, path: Path, *, size: int, sha256: str) -> "Blob":
        """A file whose size and digest were noted when it was written."""
        return cls(size, sha256, path.read_bytes, path)


@dataclass(frozen=True, slots=True)
class Sample:
    """A clip ready to be written: its record and its two media files, which are read when their turn comes."""

    record: ClipRecord
    mp4: Blob
    flac: Blob

    def content(self) -> str:
        """Digest of all that the clip consists of; equal clips have equal ones, wherever they stand."""
        return self.content_with(self.record.to_json())

    def content_with(self, record: bytes) -> str:
        """The same, where the record's JSON is at hand."""
        parts = hashlib.sha256(record).hexdigest(), self.mp4.sha256, self.flac.sha256
        return hashlib.sha256(":".join(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Record:
    """A clip as read back from a shard; `meta` is the parsed `KEY.json`."""

    key: str
    mp4: bytes
    flac: bytes
    meta: dict[str, Any]
