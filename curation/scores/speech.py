"""Does somebody speak whom nobody sees? Narration is the commonest sound of web video that its picture does not make.

Speech is heard by silero-vad and faces are seen by scikit-image; both packages ship their weights (extra `offline`).
"""

import threading
import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from curation.media.timeline import Timeline, Window
from curation.scores.base import Columns, Evidence, Need, once_a_video
from curation.scores.faces import has_face
from curation.scores.threads import one_thread
from shards.errors import Unavailable

RATE_HZ = 16_000
CHUNK = 512
SURE = 0.5
LOOK_US = 500_000
"""Faces are looked for this often, and only while somebody speaks: to look takes longer than to decode."""

NEAR_US = 600_000
"""Who speaks shows the face this soon before or after."""


class SpeechScore:
    """`speech_presence`: share of 32 ms chunks that are likelier speech than not. `speech_mean`: mean probability.
    `face_presence`: share of the pictures looked at, two a second near speech, that show a face; NaN without speech.
    `unseen_speech`: share of chunks that are speech with no face seen within 0.6 s. All in [0, 1]."""

    name = "speech"
    version = 2
    settings = ""
    needs = frozenset({Need.THUMBNAILS, Need.WAVEFORM})
    columns = ("speech_presence", "speech_mean", "face_presence", "unseen_speech")
    evidence = Evidence.SIGNAL
    trends: ClassVar[Mapping[str, int]] = {"unseen_speech": -1}

    def __init__(self) -> None:
        self._own = threading.local()

    def check(self) -> None:
        """Raise `Unavailable` where a package is absent."""
        for package in ("silero_vad", "skimage"):
            if find_spec(package) is None:
                raise Unavailable(f"the package {package} is not installed", remedy='pip install "clapboard[offline]"')

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
        """One entry per window; a video that several windows belong to is heard once, and no picture is seen twice."""
        heard, faces = once_a_video(batch, self._probabilities), once_a_video(batch, _Faces)
        return [_measured(*of_window) for of_window in zip(batch, heard, faces, strict=True)]

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


class _Faces:
    """The faces of one video; every picture is looked at once."""

    def __init__(self, line: Timeline) -> None:
        self._line = line
        ticks = np.arange(0, line.duration_us, LOOK_US)
        # The thumbnails nearest to every half second.
        after = np.searchsorted(line.thumb_us, ticks).clip(0, max(len(line.thumb_us) - 1, 0))
        self._chosen = np.unique(after) if len(line.thumb_us) else np.zeros(0, np.int64)
        self._shows = cache(lambda at: has_face(line.thumbs[at]))

    def near(self, at_us: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """When pictures near these instants were taken, and whether they show a face."""
        times = self._line.thumb_us[self._chosen].astype(np.float64)
        looked = (np.abs(times[:, None] - at_us[None, :]) <= NEAR_US).any(axis=1)
        return times[looked], np.array([self._shows(int(at)) for at in self._chosen[looked]], bool)


def _measured(window: Window, probabilities: NDArray[np.float32], faces: _Faces) -> Columns:
    line = window.timeline
    middle_us = line.audio_start_us + (np.arange(len(probabilities)) + 0.5) * CHUNK * 1e6 / RATE_HZ
    inside = (middle_us >= window.start_us) & (middle_us < window.end_us)
    if not inside.any():
        return dict.fromkeys(SpeechScore.columns, float("nan"))
    own, spoken_us = probabilities[inside], middle_us[inside & (probabilities > SURE)]
    times_us, shown = faces.near(spoken_us)
    seen = (np.abs(times_us[shown][:, None] - spoken_us[None, :]) <= NEAR_US).any(axis=0)
    return {
        "speech_presence": len(spoken_us) / len(own),
        "speech_mean": float(own.mean()),
        "face_presence": float(shown.mean()) if len(shown) else float("nan"),
        "unseen_speech": float((~seen).sum() / len(own)),
    }
