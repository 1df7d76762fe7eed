"""How much of the sound is speech? By silero-vad, whose weights ship inside its package (extra `offline`).

Speech over a picture without anyone who could speak is narration. The score says only what is heard; whether somebody
is seen is for a person, or for a caption score.
"""

import threading
import warnings
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from curation.media.timeline import Timeline, Window
from curation.scores.base import Columns, Evidence, Need, once_a_video
from curation.scores.threads import one_thread
from shards.errors import Unavailable

RATE_HZ = 16_000
CHUNK = 512
SURE = 0.5


class SpeechScore:
    """`speech_presence`: share of 32 ms chunks that are likelier speech than not. `speech_mean`: mean probability."""

    name = "speech"
    version = 1
    settings = ""
    needs = frozenset({Need.WAVEFORM})
    columns = ("speech_presence", "speech_mean")
    evidence = Evidence.SIGNAL
    trends: ClassVar[Mapping[str, int]] = {"speech_presence": -1}

    def check(self) -> None:
        """Raise `Unavailable` where the package is absent."""
        if find_spec("silero_vad") is None:
            raise Unavailable("the package silero_vad is not installed", remedy='pip install "clapboard[offline]"')

    def __init__(self) -> None:
        self._own = threading.local()

    @property
    def model(self) -> Any:
        """The detector, loaded at its first use. It keeps what it heard between calls, so each thread has its own."""
        if not hasattr(self._own, "model"):
            # Importing silero_vad tells torch to use one thread for good.
            with one_thread(), warnings.catch_warnings():
                from silero_vad import load_silero_vad

                # The package's own file format, which it will change before torch drops it.
                warnings.filterwarnings("ignore", message=".*torch.jit.load.*", category=FutureWarning)
                self._own.model = load_silero_vad()
        return self._own.model

    def score(self, batch: Sequence[Window]) -> list[Columns]:
        """One entry per window; a video that several windows belong to is heard once."""
        found: list[Columns] = []
        for window, heard in zip(batch, once_a_video(batch, self._probabilities), strict=True):
            own = _within(heard, window)
            empty = not len(own)
            found.append(
                {
                    "speech_presence": float("nan") if empty else float((own > SURE).mean()),
                    "speech_mean": float("nan") if empty else float(own.mean()),
                }
            )
        return found

    def _probabilities(self, line: Timeline) -> NDArray[np.float32]:
        """(chunks,) from the first sample on."""
        import torch

        sound = line.waveform
        if line.rate_hz != RATE_HZ:
            from scipy.signal import resample_poly

            divisor = int(np.gcd(RATE_HZ, line.rate_hz))
            sound = resample_poly(sound, RATE_HZ // divisor, line.rate_hz // divisor).astype(np.float32)
        if not len(sound):
            return np.zeros(0, np.float32)
        with one_thread(), torch.inference_mode():
            made = self.model.audio_forward(torch.tensor(sound)[None], sr=RATE_HZ)
        return np.asarray(made[0].numpy(), np.float32)


def _within(probabilities: NDArray[np.float32], window: Window) -> NDArray[np.float32]:
    """The chunks whose middle lies in the window."""
    line = window.timeline
    middle_us = line.audio_start_us + (np.arange(len(probabilities)) + 0.5) * CHUNK * 1e6 / RATE_HZ
    return probabilities[(middle_us >= window.start_us) & (middle_us < window.end_us)]
