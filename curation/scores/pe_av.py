"""Do picture and sound belong together? By PE-AV (Vyas et al. 2025), which compares the two without words between.

The direct similarity that the predecessor takes from ImageBind (its IA). The network was trained to tell the clip that
a sound belongs to from other clips, so it knows what sounds like this, and not when: this is no score of synchrony.

It takes all frames and a token of sound every 40 ms. So do we: 25 frames a second, one for each token. Frames lie on
one grid of the video, so that windows that overlap share them; a window begins at the tick nearest to it [ours].
"""

import threading
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from curation.encoders.semantics import Semantics
from curation.media.timeline import Window
from curation.scores.base import Columns, Evidence, Need
from curation.scores.sounds import sound_of
from shards.weights import noted_digest, require

if TYPE_CHECKING:
    from curation.encoders.pe_av import PeAv

HZ, SIDE_PX, RATE_HZ = 25, 336, 48_000
TICK_US = 1_000_000 // HZ
MOST = 30 * HZ
"""Ticks of the longest stretch that is looked at: of what is longer, the middle."""

GROUP = 8
"""Windows that are compared at once."""

LOOK = 128
"""Frames that are decoded at once: 43 MB."""

Seen = dict[int, NDArray[np.float32]]
"""What the frame encoder made of each frame, by its tick."""


class PeAvScore:
    """`picture_sound`: the network's own logit that sound and picture are of one clip, unbounded.
    `picture_sound_cosine`: the cosine of the same two embeddings, in [-1, 1]. Neither says anything about timing."""

    name = "pe_av"
    version = 1
    needs = frozenset({Need.FRAMES, Need.WAVEFORM})
    columns = ("picture_sound", "picture_sound_cosine")
    evidence = Evidence.MEANING
    trends: ClassVar[Mapping[str, int]] = {"picture_sound": 1}

    def __init__(self, semantics: Semantics | None = None) -> None:
        self._model = (semantics or Semantics()).settings.pair_model
        self._making = threading.Lock()
        self._made: PeAv | None = None

    @property
    def settings(self) -> str:
        """The very weights."""
        return f"{self._model} {noted_digest(self._model)}"

    def check(self) -> None:
        """Raise `Unavailable` where the weights are absent."""
        require(self._model)

    @property
    def network(self) -> "PeAv":
        """The network; it loads at its first use."""
        with self._making:
            if self._made is None:
                from curation.encoders.pe_av import PeAv

                self._made = PeAv(self._model, require(self._model))
            return self._made

    def score(self, batch: Sequence[Window]) -> list[Columns]:
        """One entry per window; frames that windows of one video share are looked at once.

        Raises:
            MediaFailure: frames cannot be decoded.
        """
        spans = [ticks(window) for window in batch]
        order = sorted(range(len(batch)), key=lambda at: (id(batch[at].timeline), spans[at].start))
        found: dict[int, Columns] = {}
        for _, of_video in groupby(order, key=lambda at: id(batch[at].timeline)):
            places, known = list(of_video), Seen()
            for first in range(0, len(places), GROUP):
                group = {at: spans[at] for at in places[first : first + GROUP]}
                needed = {tick for span in group.values() for tick in span}
                known = {tick: row for tick, row in known.items() if tick in needed}
                known |= self._seen(batch[places[first]], sorted(needed - known.keys()))
                found |= self._compared(batch, group, known)
        return [found[at] for at in range(len(batch))]

    def _seen(self, window: Window, wanted: Sequence[int]) -> Seen:
        """Of ticks of the window's video, ascending; each run of neighbours is decoded in one go."""
        assert window.look is not None
        seen: Seen = {}
        for _, run in groupby(enumerate(wanted), key=lambda one: (one[1] - one[0], one[0] // LOOK)):
            places = [tick for _, tick in run]
            images = window.look(
                start_us=places[0] * TICK_US,
                end_us=(places[-1] + 1) * TICK_US,
                hz=HZ,
                short_px=SIDE_PX,
                side_px=SIDE_PX,
            ).images
            seen |= dict(zip(places, self.network.see(images), strict=True))
        return seen

    def _compared(self, batch: Sequence[Window], spans: Mapping[int, range], known: Seen) -> dict[int, Columns]:
        """Windows of one length together."""
        found: dict[int, Columns] = {}
        for _, same in groupby(sorted(spans, key=lambda at: len(spans[at])), key=lambda at: len(spans[at])):
            places = list(same)
            seen = np.stack([np.stack([known[tick] for tick in spans[at]]) for at in places])
            sounds = np.stack([_heard(batch[at], spans[at]) for at in places])
            rows = self.network.compare(seen, sounds)
            found |= {
                at: dict(zip(self.columns, map(float, row), strict=True)) for at, row in zip(places, rows, strict=True)
            }
        return found


def ticks(window: Window) -> range:
    """The frames of a window on the grid of its video."""
    first = round(window.start_us / TICK_US)
    count = max(round((window.end_us - window.start_us) / TICK_US), 1)
    kept = min(count, MOST)
    first += (count - kept) // 2
    return range(first, first + kept)


def _heard(window: Window, span: range) -> NDArray[np.float32]:
    """(ticks * 1920,) samples at 48 kHz."""
    return sound_of(window.timeline, span.start * TICK_US, span.stop * TICK_US, RATE_HZ)
