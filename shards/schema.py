"""The record of one published clip, and what an index row says about it.

A clip stands in a shard as three files of one key: `KEY.mp4` (H.264 + AAC), `KEY.flac` (the exact sound) and
`KEY.json` (this record). The index holds one row per clip: the record's columns, every score as `score_NAME`, and
where its bytes lie. docs/contracts.md is the prose of this file.
"""

import json
from dataclasses import asdict, dataclass, field
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
        return json.dumps({"schema": SCHEMA_VERSION, **asdict(self)}, sort_keys=True, ensure_ascii=False).encode()

    def to_row(self) -> dict[str, Any]:
        """The record as flat index columns."""
        row = {name: value for name, value in asdict(self).items() if name not in ("scores", "lineage", "verdict")}
        row["duration_us"] = self.end_us - self.start_us
        row["reasons"] = list(self.reasons)
        row["verdict"] = self.verdict["verdict"] if self.verdict else None
        return row | {f"score_{name}": value for name, value in sorted(self.scores.items())}


@dataclass(frozen=True, slots=True)
class Sample:
    """A clip ready to be written: its record and its two media files as bytes."""

    record: ClipRecord
    mp4: bytes
    flac: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """A clip as read back from a shard; `meta` is the parsed `KEY.json`."""

    key: str
    mp4: bytes
    flac: bytes
    meta: dict[str, Any]
