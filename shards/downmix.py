"""One mix of decoded sound, for whoever listens: the analysis, the cut, the check of published clips, and training.

    stereo to mono      (L + R) / 2; where the two cancel each other, (L - R) / 2
    speakers            libav's own matrix, scaled so that nothing overshoots; to mono
                        the right ones are turned round where left and right cancel each other
    ambisonics          two cardioids back to back, (W + Y) / 2 and (W - Y) / 2; their mean is the mono mix
    places unknown      two channels are left and right; of more, the mean is on both sides

Sound whose channels cancel is not silent to who hears both: microphones are wired the wrong way round, and phones hold
theirs on opposite sides. So for mono, channels that run against the first one that sounds are turned round before they
are added. Ambisonics are ACN and SN3D, as in Opus, MP4 and libav: W comes first, Y (left less right) second.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

VERSION = 3
"""Goes up whenever the same sound is mixed to other samples: what training keeps of it is then made anew."""

CHUNK = 1 << 16
"""Samples that wait for the resampler: calling it for each packet costs more than decoding."""

OPPOSED = 0.6
"""Likeness of two channels, 2 LR / (LL + RR), beyond which they are opposed: at -0.6 the side is 6 dB louder than the
mid, which recorded stereo does not keep up over a chunk [ours]."""

SOUNDS = 0.25
"""A channel sounds that has so much of the loudest one's power [ours]."""

Channels = NDArray[np.float32]


class Downmix:
    """Takes decoded frames of one rate, format and layout; gives (channels, samples) arrays of `rate_hz`.

    `layout` is "mono" or "stereo", `sample_format` libav's name of a planar one. Floats lie within [-1, 1], too.
    """

    def __init__(self, *, rate_hz: int, layout: str = "mono", sample_format: str = "s16p") -> None:
        import av

        self._layout = layout
        self._fifo = av.AudioFifo()
        # libav mixes whole numbers without overshooting, floats only where it is asked to.
        self._options = None if sample_format.startswith("s") else {"rematrix_maxval": "1"}
        self._format = sample_format
        self._resampler = av.AudioResampler(format=sample_format, layout=layout, rate=rate_hz, options=self._options)
        self._to_sides: Any = None
        self._unpacker: Any = None
        self._polarity = _Polarity()

    def put(self, frame: Any) -> list[NDArray[Any]]:
        """Take a decoded frame, which is consumed; returns what is ready."""
        # The fifo would insist on gapless time stamps.
        frame.pts = None
        self._fifo.write(frame)
        return self._take(CHUNK) if self._fifo.samples >= CHUNK else []

    def rest(self) -> list[NDArray[Any]]:
        """What is left; call once, at the end."""
        return self._take(0) + [piece.to_ndarray() for piece in self._resampler.resample(None)]

    def _take(self, count: int) -> list[NDArray[Any]]:
        waiting = self._fifo.read(count)
        return [] if waiting is None else [one.to_ndarray() for one in self._resampler.resample(self._mixable(waiting))]

    def _mixable(self, frame: Any) -> Any:
        """The frame, or another one that libav can mix without a loss."""
        count = frame.layout.nb_channels
        if count == 1:
            return frame
        if not has_places(frame.layout.name):
            return self._mixed(frame)
        if self._layout != "mono":
            return frame
        if count == 2:
            return self._polarity.mended(frame)
        opposed = (self._polarity.signs(self._sides(frame).to_ndarray().astype(np.float32)) < 0).any()
        right = np.array(["R" in channel.name for channel in frame.layout.channels])
        return _turned(frame, right) if opposed else frame

    def _mixed(self, frame: Any) -> Any:
        import av

        names = tuple(channel.name for channel in frame.layout.channels)
        matrix, channels = mixing_matrix(names), self._unpacked(frame)
        if self._layout == "mono":
            matrix = matrix.mean(axis=0, keepdims=True)
        if "AMBI0" not in names and not (len(names) == 2 and self._layout == "stereo"):
            matrix = matrix * self._polarity.signs(channels)
        made = av.AudioFrame.from_ndarray(np.ascontiguousarray(matrix @ channels), format="fltp", layout=self._layout)
        made.sample_rate = frame.sample_rate
        return made

    def _sides(self, frame: Any) -> Any:
        """Left and right of speakers, which show whether the two cancel."""
        import av

        if self._to_sides is None:
            self._to_sides = av.AudioResampler(
                format=self._format, layout="stereo", rate=frame.sample_rate, options=self._options
            )
        # At one rate and in one go: nothing is held back.
        (sides,) = self._to_sides.resample(frame)
        return sides

    def _unpacked(self, frame: Any) -> Channels:
        """(channels, samples); interleaved before, since PyAV cannot show more than seven planes."""
        import av

        if self._unpacker is None:
            self._unpacker = av.AudioResampler(format="flt", layout=frame.layout, rate=frame.sample_rate)
        parts = [part.to_ndarray() for part in self._unpacker.resample(frame)]
        return np.concatenate(parts, axis=1).reshape(-1, frame.layout.nb_channels).T


class _Polarity:
    """Which channels run against the others, chunk by chunk; what is neither for nor against stays as it was."""

    def __init__(self) -> None:
        self._reference: int | None = None
        self._signs: Channels = np.ones(1, np.float32)

    def signs(self, channels: Channels) -> Channels:
        """(channels,) of 1 and -1, by which they can be added."""
        powers = np.einsum("cn,cn->c", channels, channels)
        if self._reference is None and powers.any():
            self._reference = int(np.argmax(powers >= SOUNDS * powers.max()))
        if self._reference is not None:
            sums = powers + powers[self._reference]
            likeness = 2 * (channels @ channels[self._reference]) / np.maximum(sums, np.finfo(np.float32).tiny)
            kept = np.where(likeness < -OPPOSED, -1, self._signs)
            self._signs = np.where(likeness > OPPOSED, 1, kept).astype(np.float32)
        return np.broadcast_to(self._signs, len(channels))

    def mended(self, frame: Any) -> Any:
        """The frame itself, or a copy whose opposed channel is turned round."""
        samples = frame.to_ndarray()
        channels = samples if frame.format.is_planar else samples.reshape(-1, frame.layout.nb_channels).T
        middle = 128 if samples.dtype == np.uint8 else 0
        opposed = self.signs(channels.astype(np.float32) - middle) < 0
        return _turned(frame, opposed) if opposed.any() else frame


def _turned(frame: Any, opposed: NDArray[np.bool_]) -> Any:
    """A copy of a frame some of whose channels are turned round."""
    import av

    samples = frame.to_ndarray()
    channels = samples if frame.format.is_planar else samples.reshape(-1, frame.layout.nb_channels).T
    # Whole numbers by their bits: the lowest has no positive.
    channels[opposed] = -channels[opposed] if samples.dtype.kind == "f" else ~channels[opposed]
    made = av.AudioFrame.from_ndarray(samples, format=frame.format.name, layout=frame.layout)
    made.sample_rate = frame.sample_rate
    return made


@cache
def has_places(layout: str) -> bool:
    """Whether libav knows where the channels of a layout belong, and so can mix them."""
    import av

    try:
        frame = av.AudioFrame(format="s16", layout=layout, samples=64)
        frame.sample_rate = 48_000
        return bool(av.AudioResampler(format="s16", layout="stereo", rate=48_000).resample(frame))
    except (av.FFmpegError, ValueError):
        return False


@cache
def mixing_matrix(names: tuple[str, ...]) -> Channels:
    """(2, channels) to left and right, of channels whose places libav does not know; no side can overshoot."""
    if "AMBI0" in names:
        sides = [_cardioids(name) for name in names]
        matrix = np.array(sides, np.float32).T
    else:
        matrix = np.eye(2, dtype=np.float32) if len(names) == 2 else np.ones((2, len(names)), np.float32)
    return np.asarray(matrix / max(1.0, float(np.abs(matrix).sum(axis=1).max())), np.float32)


def _cardioids(name: str) -> tuple[float, float]:
    """What a channel of ambisonics, or of the sound that goes with the listener's head, adds to left and right."""
    known = {"AMBI0": (0.5, 0.5), "AMBI1": (0.5, -0.5), "FL": (1.0, 0.0), "FR": (0.0, 1.0)}
    return known.get(name, (0.0, 0.0))
