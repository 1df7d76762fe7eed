"""What an adapter looks like: everything that decides its shapes, and how many parameters that makes.

Pure data without a tensor, so that a dry run can count before anything is built.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.timing import AudioTiming, VideoTiming, window_table


@dataclass(frozen=True, slots=True)
class Site:
    """A module of the backbone behind which sound is added: its name and the width of its output."""

    name: str
    width: int


@dataclass(frozen=True, slots=True)
class AudioRow:
    """One encoder layer: `columns` instants of `tokens` x `width` numbers, every `hop_s`, each `width_s` long."""

    encoder: str
    layer: str
    columns: int
    tokens: int
    width: int
    hop_s: float
    width_s: float

    @property
    def key(self) -> str:
        """The name of its features in caches and batches."""
        return f"{self.encoder}/{self.layer}"

    @property
    def slots(self) -> int:
        """Audio tokens that it gives a clip."""
        return self.columns * self.tokens


@dataclass(frozen=True, slots=True)
class AdapterConfig:
    """Shapes of an adapter.

    Attributes:
        rows: the encoder layers, in order.
        sites: where sound enters.
        video: the backbone's clock.
        radius_s: half the window.
        audio_width: width of an audio token.
        inner_width: width inside the attention; a multiple of 2 * heads.
        heads: attention heads.
    """

    rows: tuple[AudioRow, ...]
    sites: tuple[Site, ...]
    video: VideoTiming
    radius_s: float
    audio_width: int
    inner_width: int
    heads: int

    def parameters(self) -> int:
        """Exact number of trainable parameters."""
        projections = sum((row.width + 1) * self.audio_width for row in self.rows)
        attention = sum(2 * self.inner_width * (site.width + self.audio_width) for site in self.sites)
        return projections + self.audio_width + attention

    def slot_table(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """(latents, places) slot numbers, and time offsets in seconds, of every row's window side by side.

        Slots count through all rows: columns, then tokens of a column. One past the last slot is the null token.
        """
        null = sum(row.slots for row in self.rows)
        indices, offsets, first = [], [], 0
        for row in self.rows:
            table = window_table(self.video, AudioTiming(row.columns, row.hop_s, row.width_s), radius_s=self.radius_s)
            slots = first + table.index[:, :, None] * row.tokens + np.arange(row.tokens)
            indices.append(np.where((table.index == table.null)[:, :, None], null, slots).reshape(len(slots), -1))
            offsets.append(np.repeat(table.offset_s, row.tokens, axis=1))
            first += row.slots
        return np.concatenate(indices, axis=1), np.concatenate(offsets, axis=1)

    def to_json(self) -> str:
        """The config as JSON text."""
        return json.dumps(asdict(self), indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "AdapterConfig":
        """The config that `to_json` wrote."""
        data: dict[str, Any] = json.loads(text)
        return cls(
            **data
            | {
                "rows": tuple(AudioRow(**row) for row in data["rows"]),
                "sites": tuple(Site(**site) for site in data["sites"]),
                "video": VideoTiming(**data["video"]),
            }
        )
