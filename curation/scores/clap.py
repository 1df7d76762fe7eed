"""Does it sound like what the words say? Through CLAP [pred, with CLAP for ImageBind]."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.util import find_spec
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from curation.encoders.base import AudioTextEncoder
from curation.media.timeline import Window
from curation.scores.base import Columns, Evidence, Need
from shards.errors import Unavailable
from shards.weights import require

TEMPLATE = "the sound of {}"
PARTS = 3
PART_S = 2.0


class ClapScore:
    """`audio_text_min`: least cosine with the words of three two-second parts, centred where CLIP's frames lie."""

    name = "clap"
    version = 1
    needs = frozenset({Need.WAVEFORM, Need.TEXT})
    columns = ("audio_text_min",)
    evidence = Evidence.MEANING
    trends: ClassVar[Mapping[str, int]] = {"audio_text_min": 1}

    def __init__(self, encoder: AudioTextEncoder | None = None) -> None:
        self._given = encoder

    def check(self) -> None:
        """Raise `Unavailable` where the weights or the package are absent."""
        if self._given is None:
            require("clap")
            if find_spec("laion_clap") is None:
                raise Unavailable("laion-clap is not installed", remedy="use Python below 3.13, for which it is built")

    @cached_property
    def encoder(self) -> AudioTextEncoder:
        """The model, loaded at its first use."""
        from curation.encoders.laion_clap import LaionClapEncoder

        return self._given or LaionClapEncoder(require("clap"))

    def score(self, batch: Sequence[Window]) -> list[Columns]:
        """One entry per window, sounds of all windows in one batch; NaN where there are no words."""
        spoken = [window for window in batch if window.text]
        if not spoken:
            return [{"audio_text_min": float("nan")} for _ in batch]
        words = self.encoder.embed_texts([TEMPLATE.format(window.text) for window in spoken])
        sounds = np.concatenate([sound_parts(window, self.encoder.rate_hz) for window in spoken])
        features = self.encoder.embed_sounds(sounds).reshape(len(spoken), PARTS, -1)
        least = iter(np.einsum("npd,nd->np", features, words).min(axis=1))
        return [{"audio_text_min": float(next(least)) if window.text else float("nan")} for window in batch]


def sound_parts(window: Window, rate_hz: int) -> NDArray[np.float32]:
    """(3, samples) two-second parts at the wanted rate, silent beyond the window.

    The waveform of the analysis is resampled; what its rate cut off (above 8 kHz at 16 kHz) stays missing.
    """
    from scipy.signal import resample_poly

    have_hz = window.timeline.rate_hz
    sound = window.sound()
    size = round(PART_S * have_hz)
    padded = np.pad(sound, size)
    centres = ((np.arange(PARTS) + 0.5) / PARTS * len(sound)).astype(int) + size
    parts = np.stack([padded[centre - size // 2 :][:size] for centre in centres])
    divisor = np.gcd(rate_hz, have_hz)
    return np.asarray(resample_poly(parts, rate_hz // divisor, have_hz // divisor, axis=1), np.float32)
