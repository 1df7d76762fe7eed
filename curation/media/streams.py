"""Which picture and which sound of a file: one choice, for the analysis, the cut, the closer look and the join.

The order is `shards.streams`'s. Where a file offers more than one track of a kind, a few seconds of each are tried, and
one that cannot be decoded, holds nothing, or is a single picture gives way to the next; so does a picture that stands
still to a moving one that was preferred no more than it. What gave way is told.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.media.failures import MediaFailure
from curation.outcomes import Outcome
from shards.streams import by_preference

PICTURE_CODECS = frozenset(
    {"h264", "hevc", "vp8", "vp9", "av1", "libdav1d", "mpeg4", "mpeg2video", "mpeg1video", "h263", "flv", "theora"}
    | {"msmpeg4v2", "msmpeg4", "msmpeg4v3", "wmv1", "wmv2", "wmv3", "vc1", "mjpeg", "prores"}
)
SOUND_CODECS = frozenset(
    {"aac", "aac_latm", "mp3", "mp3float", "mp2", "mp2float", "opus", "libopus", "vorbis", "libvorbis", "flac", "alac"}
    | {"ac3", "eac3", "wmav1", "wmav2", "speex", "libspeex", "amrnb", "amrwb", "pcm_s16le", "pcm_s16be", "pcm_s24le"}
    | {"pcm_s24be", "pcm_s32le", "pcm_f32le", "pcm_u8", "pcm_mulaw", "pcm_alaw", "pcm_bluray", "pcm_dvd"}
    | {"adpcm_ms", "adpcm_ima_wav", "adpcm_swf"}
)

SIZED_OUTSIDE = frozenset({"msmpeg4v2", "msmpeg4", "msmpeg4v3", "wmv1", "wmv2", "wmv3", "vc1"})
"""Codecs whose pictures do not say, or not always, how large they are."""

MAX_BROKEN_PACKETS = 25
"""So many undecodable packets of one track in a row, and the decoder is taken to have given up [ours]."""

TRIAL_S = 4.0
"""So much of each track is tried [ours] ..."""

WAITED_S = 10.0
"""... and none is waited for when another has gone on for so long, or after so many packets [ours]."""
WAITED_PACKETS = 4_000

MOVES = 12
"""A still of 32 x 32 pixels in which one differs by so much from the first one's has moved: noise of codecs stays below
[ours]."""

NAMES = {"video": "picture", "audio": "sound"}
MISSING = {"video": Outcome.NO_VIDEO, "audio": Outcome.NO_AUDIO}


@dataclass(frozen=True, slots=True)
class Choice:
    """PyAV's streams in the order of the kinds asked for, and a sentence on each track that gave way."""

    streams: tuple[Any, ...]
    notes: tuple[str, ...]


def choose(
    container: Any, kinds: Sequence[str], *, max_pixels: int, reopened: Callable[[], AbstractContextManager[Any]]
) -> Choice:
    """The tracks to take of an open file; `reopened` opens it once more, for trying.

    Raises:
        MediaFailure: there is no track of a kind, or none that can be decoded.
    """
    offered = {kind: by_preference(container.streams, kind) for kind in kinds}
    for kind, streams in offered.items():
        if not streams:
            raise MediaFailure(MISSING[kind])
    able = [[one for one in streams if _codec_fault(one) is None] for streams in offered.values()]
    several = [one for streams in able if len(streams) > 1 for one in streams]
    trials: dict[int, _Trial] = {}
    if several:
        with reopened() as again:
            trials = _tried([again.streams[one.index] for one in several], max_pixels=max_pixels)
    best = [_best(streams, trials) for streams in offered.values()]
    return Choice(tuple(stream for stream, _ in best), tuple(note for _, notes in best for note in notes))


def limit(context: Any, max_pixels: int) -> bool:
    """Have a picture decoder refuse larger pictures; whether a header that promises such was put aside.

    It is where pictures say themselves how large they are.
    """
    # One worker a core scales better than threads inside a decoder.
    context.thread_count = 1
    context.options = {"max_pixels": str(max_pixels)}
    aside = context.width * context.height > max_pixels and context.name not in SIZED_OUTSIDE
    if aside:
        context.width = context.height = 0
    return bool(aside)


class _Trial:
    """What a few seconds of one track show."""

    def __init__(self, stream: Any) -> None:
        from av.video.reformatter import VideoReformatter

        self.kind: str = stream.type
        self.went_s = 0.0
        self._began_s: float | None = None
        self._packets = self._frames = self._broken = 0
        self._error = ""
        self._moves = False
        self._first: NDArray[np.int16] | None = None
        self._shrink = VideoReformatter()

    @property
    def done(self) -> bool:
        """Whether more of it would say nothing new."""
        shown = self._moves if self.kind == "video" else self._frames > 0
        return shown or self._broken > MAX_BROKEN_PACKETS or self.went_s > TRIAL_S

    @property
    def moves(self) -> bool:
        """Whether its picture does; sound always does."""
        return self._moves or self.kind == "audio"

    @property
    def fault(self) -> MediaFailure | None:
        """Why it cannot be decoded, if it cannot."""
        if self._error and (not self._frames or self._broken > MAX_BROKEN_PACKETS):
            return MediaFailure(Outcome.DECODE_FAILED, f"its decoder gives up: {self._error}")
        return None

    @property
    def doubt(self) -> MediaFailure | None:
        """Why any other goes before it, though it can be decoded."""
        if not self._frames or (self.kind == "video" and self._packets == 1):
            held = "a single picture" if self._packets else "nothing"
            return MediaFailure(MISSING[self.kind], f"it holds {held} in its first seconds")
        return None

    def take(self, packet: Any) -> None:
        """Look at the next packet."""
        import av

        at = packet.dts if packet.dts is not None else packet.pts
        if at is not None:
            at_s = float(at * packet.time_base)
            self._began_s = at_s if self._began_s is None else self._began_s
            self.went_s = max(self.went_s, at_s - self._began_s)
        self._packets += packet.size > 0
        if self.done:
            return
        try:
            frames = packet.decode()
        except MemoryError:
            raise
        except av.FFmpegError as error:
            self._broken, self._error = self._broken + 1, str(error)
            return
        self._broken = 0 if frames else self._broken
        self._frames += len(frames)
        for frame in frames if self.kind == "video" else ():
            self._look(frame)

    def _look(self, frame: Any) -> None:
        small = self._shrink.reformat(frame, format="gray", width=32, height=32, interpolation="AREA", threads=1)
        still = small.to_ndarray().astype(np.int16)
        self._first = still if self._first is None else self._first
        self._moves = self._moves or bool(np.abs(still - self._first).max() >= MOVES)


def _tried(streams: list[Any], *, max_pixels: int) -> dict[int, _Trial]:
    import av

    trials = {stream.index: _Trial(stream) for stream in streams}
    for stream in streams:
        stream.codec_context.thread_count = 1
        if stream.type == "video":
            limit(stream.codec_context, max_pixels)
    packets = streams[0].container.demux(streams)
    for _ in range(WAITED_PACKETS):
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            # Whether the file is cut short is for the pass to say.
            break
        if packet is None:
            break
        trials[packet.stream.index].take(packet)
        if all(one.done for one in trials.values()) or max(one.went_s for one in trials.values()) > WAITED_S:
            break
    return trials


def _best(streams: list[Any], trials: dict[int, _Trial]) -> tuple[Any, list[str]]:
    """The first that can be used, of pictures one that moves; and a sentence on each that gave way to it."""
    tried = {one.index: trials[one.index] for one in streams if one.index in trials}
    faults = {one.index: _codec_fault(one) or (tried[one.index].fault if tried else None) for one in streams}
    usable = [one for one in streams if not faults[one.index]]
    if not usable:
        raise faults[streams[0].index] or AssertionError
    doubts = {index: trial.doubt for index, trial in tried.items()}
    sure = [one for one in usable if not doubts.get(one.index)] or usable
    level = [one for one in sure if _is_default(one) == _is_default(sure[0])]
    chosen = next((one for one in level if not tried or tried[one.index].moves), sure[0])
    return chosen, [
        f"{NAMES[one.type]} track {one.index} was passed over for track {chosen.index}: "
        + _why(faults[one.index] or doubts.get(one.index))
        for one in streams[: streams.index(chosen)]
    ]


def _why(fault: MediaFailure | None) -> str:
    return f"{fault.outcome.value}, {fault.detail}" if fault else "it stands still"


def _is_default(stream: Any) -> bool:
    from av.stream import Disposition

    return bool(stream.disposition & Disposition.default)


def _codec_fault(stream: Any) -> MediaFailure | None:
    if stream.codec_context is None:
        return MediaFailure(Outcome.UNKNOWN_CODEC, f"libav has no decoder for its {stream.type} track")
    if stream.codec_context.name not in (PICTURE_CODECS if stream.type == "video" else SOUND_CODECS):
        return MediaFailure(Outcome.UNKNOWN_CODEC, f"its {stream.type} track is {stream.codec_context.name}")
    return None
