"""Write decoded frames and samples as MP4 (H.264 + AAC) and FLAC, to the same bytes every time.

One encoder thread, no B-frames (presentation order is decoding order, so every reader agrees where the first frame is),
no encoder names and no time of day in the file. The AAC encoder's priming is taken away again by the edit list.
"""

import io
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from curation.media.failures import MediaFailure
from curation.media.geometry import Geometry
from curation.media.pixels import plane_view
from curation.media.settings import CutSettings
from curation.media.waveform import Samples
from curation.outcomes import Outcome

CLOCK = Fraction(1, 90_000)
_YUV420 = frozenset({"yuv420p", "yuvj420p"})
_TAGS = ("color_range", "colorspace", "color_primaries", "color_trc")
_RGB, _BT601 = 0, 6
"""Names of colour matrices in H.264: RGB becomes YUV by the scaler's own matrix, BT.601."""


class Mp4Writer:
    """An MP4 file under construction: frames first, then the whole sound; complete when the context ends.

    All pictures have one geometry; those whose pixels are not square are widened or narrowed until they are.
    """

    def __init__(
        self,
        path: Path,
        *,
        rate_hz: int,
        channels: int,
        fps: Fraction,
        settings: CutSettings,
    ) -> None:
        import av

        flags = {"movflags": "+faststart", "fflags": "+bitexact"}
        self._out = av.open(str(path), "w", format="mp4", options=flags)
        self._video = _video_stream(self._out, fps, settings)
        self._audio = _audio_stream(self._out, rate_hz, channels, settings)
        self._yuv = _Yuv()
        self._geometry: Geometry | None = None
        self.rate_hz, self.channels = rate_hz, channels
        self.frames = 0
        self.first_us = 0
        self.size_px = (0, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._out.close()

    def add_frame(self, frame: Any, at_us: int, geometry: Geometry) -> None:
        """Take one decoded frame that is shown at `at_us`; the first one's time becomes zero.

        Raises:
            MediaFailure: SHOT_CHANGE: it has another shape than those before it.
        """
        import av

        if self.frames and geometry != self._geometry:
            sizes = ("x".join(map(str, one.shown_px)) for one in (self._geometry, geometry) if one)
            raise MediaFailure(Outcome.SHOT_CHANGE, f"its picture changes from {' to '.join(sizes)} within the span")
        self._geometry = geometry
        picture, tags = self._yuv.upright(frame, geometry)
        if not self.frames:
            self.first_us = at_us
            self.size_px = (picture.shape[1], picture.shape[0] * 2 // 3)
            self._video.width, self._video.height = self.size_px
            for name, value in tags.items():
                setattr(self._video.codec_context, name, value)
        copy = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        for name, value in tags.items():
            setattr(copy, name, value)
        copy.pts, copy.time_base = round((at_us - self.first_us) * 1e-6 / CLOCK), CLOCK
        self._out.mux(self._video.encode(copy))
        self.frames += 1

    def add_sound(self, samples: Samples) -> None:
        """Take all the sound, (channels, samples); it begins with the first frame."""
        self._out.mux(self._video.encode(None))
        _encode_sound(self._out, self._audio, samples.astype(np.float32) / 32768, self.rate_hz, "fltp")


def encode_flac(samples: Samples, rate_hz: int) -> bytes:
    """(channels, samples) as a FLAC file that decodes to the very same numbers."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="flac", options={"fflags": "+bitexact"}) as out:
        stream = out.add_stream("flac", rate=rate_hz, layout=_layout(len(samples)), options={"flags": "+bitexact"})
        stream.codec_context.format = "s16"
        _encode_sound(out, stream, samples.T.reshape(1, -1), rate_hz, "s16", channels=len(samples))
    return file.getvalue()


def _video_stream(out: Any, fps: Fraction, settings: CutSettings) -> Any:
    video = out.add_stream("libx264", rate=fps)
    video.pix_fmt, video.time_base = "yuv420p", CLOCK
    video.codec_context.time_base = CLOCK
    video.codec_context.thread_count = 1
    # With its macroblock tree x264 gave other bytes in 4 of 100 cuts, though in one thread: it must look at memory that
    # nobody wrote.
    video.options = {
        "crf": str(settings.crf), "preset": settings.preset, "bf": "0", "g": str(settings.keyframe_every),
        "x264-params": "scenecut=0:mbtree=0", "flags": "+bitexact",
    }  # fmt: skip
    return video


def _audio_stream(out: Any, rate_hz: int, channels: int, settings: CutSettings) -> Any:
    audio = out.add_stream("aac", rate=rate_hz, layout=_layout(channels))
    audio.bit_rate = settings.audio_bit_rate
    audio.options = {"flags": "+bitexact"}
    return audio


class _Yuv:
    """Makes every picture of a video 4:2:0 with square pixels, upright."""

    def __init__(self) -> None:
        from av.video.reformatter import VideoReformatter

        self._scaler = VideoReformatter()

    def upright(self, frame: Any, geometry: Geometry) -> tuple[NDArray[np.uint8], dict[str, int]]:
        """(3/2 height, width) uint8 planes with even sides, and the picture's colour tags."""
        width, height = geometry.square_px
        tags = {name: int(getattr(frame, name)) for name in _TAGS}
        if tags["colorspace"] == _RGB:
            tags["colorspace"] = _BT601
        if frame.format.name not in _YUV420 or (frame.width, frame.height) != (width, height):
            frame = self._scaler.reformat(frame, width=width, height=height, format="yuv420p", threads=1)
        rows, columns = height // 2, width // 2
        luma = plane_view(frame, 0)[: 2 * rows, : 2 * columns]
        planes = [luma, *(plane_view(frame, index)[:rows, :columns] for index in (1, 2))]
        turned = [geometry.upright(plane) for plane in planes]
        stacked = np.concatenate([plane.ravel() for plane in turned])
        return stacked.reshape(-1, turned[0].shape[1]), tags


def _encode_sound(
    out: Any, stream: Any, samples: NDArray[Any], rate_hz: int, sample_format: str, channels: int | None = None
) -> None:
    """Encode planar (channels, samples) floats or packed (1, samples x channels) integers in the encoder's portions."""
    import av

    layout = _layout(channels or len(samples))
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format=sample_format, layout=layout)
    frame.rate, frame.pts, frame.time_base = rate_hz, 0, Fraction(1, rate_hz)
    portion = stream.codec_context.frame_size or 4096
    resampler = av.AudioResampler(format=sample_format, layout=layout, rate=rate_hz, frame_size=portion)
    for piece in [*resampler.resample(frame), *resampler.resample(None)]:
        out.mux(stream.encode(piece))
    out.mux(stream.encode(None))


def _layout(channels: int) -> str:
    return "mono" if channels == 1 else "stereo"
