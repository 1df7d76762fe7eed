"""Spans of time as pure integer arithmetic: which windows to score, and which clips the good ones make.

Windows of 3 s every 0.5 s inside shots, overlapping or adjacent survivors merged: the predecessor's scheme [pred].
"""

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Span = tuple[int, int]
"""Start and end in microseconds, start < end."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A window to score; `shot` is the index of the shot it starts in."""

    start_us: int
    end_us: int
    shot: int
    crosses_cut: bool


def propose(
    shots: Sequence[Span],
    *,
    window_us: int,
    stride_us: int,
    frame_us: NDArray[np.int64],
    span_us: Span,
) -> Iterator[Proposal]:
    """Windows that start in each shot, every `stride_us` from its first frame, and end within `span_us`.

    Starts are moved to the next frame's presentation time, so that a cut can begin there exactly. A window that runs
    over its shot's end is proposed too, marked, so that the accounting shows what a cut cost.
    """
    first, last = span_us
    for index, (shot_start, shot_end) in enumerate(shots):
        wanted = range(max(shot_start, first), min(shot_end, last), stride_us)
        for start in dict.fromkeys(_next_frame(frame_us, at) for at in wanted):
            if start is not None and start < shot_end and start + window_us <= last:
                yield Proposal(start, start + window_us, index, crosses_cut=start + window_us > shot_end)


def merge(windows: Sequence[Span], *, max_us: int) -> list[Span]:
    """Join overlapping or adjacent windows; what grows beyond `max_us` is split into equal parts at window starts.

    Windows longer than `max_us` stay whole.
    """
    joined: list[list[Span]] = []
    for window in sorted(windows):
        if joined and window[0] <= max(end for _, end in joined[-1]):
            joined[-1].append(window)
        else:
            joined.append([window])
    return [span for group in joined for span in _split(group, max_us)]


def clip_id(video_id: str, start_us: int, end_us: int) -> str:
    """The id of a span: the first 20 hex digits of the sha256 of video, start and end."""
    return hashlib.sha256(f"{video_id}\0{start_us}\0{end_us}".encode()).hexdigest()[:20]


def _next_frame(frame_us: NDArray[np.int64], at_us: int) -> int | None:
    index = int(np.searchsorted(frame_us, at_us))
    return int(frame_us[index]) if index < len(frame_us) else None


def _split(group: Sequence[Span], max_us: int) -> list[Span]:
    start, end = group[0][0], max(end for _, end in group)
    # Every part begins where a window began, hence on a frame.
    starts = sorted({begin for begin, _ in group})
    fewest = max(1, -(-(end - start) // max_us))
    for parts in range(fewest, fewest + len(starts)):
        wanted = [start + (end - start) * part // parts for part in range(1, parts)]
        edges = sorted({start, end, *(starts[bisect_right(starts, at) - 1] for at in wanted)})
        spans = list(pairwise(edges))
        if all(last - first <= max_us for first, last in spans):
            return spans
    return list(pairwise([*starts, end]))
