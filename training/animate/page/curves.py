"""Waveform and motion of a video on one axis, as a drawing that stands in a page by itself."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_WIDTH, _HEIGHT, _LANE = 960, 200, 80
_BINS = 480
_TICKS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)


def curves_svg(waveform: NDArray[np.float32], rate_hz: int, changes: Sequence[float], fps: int) -> str:
    """An SVG: the sound's peaks above, the picture's changes below, seconds beneath both.

    Args:
        waveform: (samples,) mono.
        rate_hz: of the waveform.
        changes: of each frame to the one before it, in grey levels.
        fps: frames a second.
    """
    seconds = len(waveform) / rate_hz
    peaks = np.array([np.abs(piece).max(initial=0.0) for piece in np.array_split(waveform, _BINS)])
    loud = peaks / max(float(peaks.max()), 1e-9)
    bars = "".join(
        f"M{_x(place / _BINS)} {_LANE / 2 + 4 - level * _LANE / 2:.1f}v{level * _LANE:.1f}"
        for place, level in enumerate(loud)
    )
    most = max(*changes, 1e-9)
    floor = 2 * _LANE + 16
    # A frame stands for its centre.
    points = " ".join(
        f"{_x((frame + 0.5) / fps / seconds)},{floor - change / most * _LANE:.1f}"
        for frame, change in enumerate(changes)
        if (frame + 0.5) / fps <= seconds
    )
    step = next((one for one in _TICKS if seconds / one <= 10), 600.0)
    ticks = "".join(
        f'<line x1="{_x(at / seconds)}" x2="{_x(at / seconds)}" y1="4" y2="{floor}" stroke="#8884"/>'
        f'<text x="{_x(at / seconds)}" y="{_HEIGHT - 4}" font-size="14" fill="#777" '
        f'text-anchor="middle">{at:g} s</text>'
        for at in np.arange(0, seconds + 1e-6, step).round(6)
    )
    return (
        f'<svg viewBox="-18 0 {_WIDTH + 36} {_HEIGHT}" role="img" width="100%" font-family="sans-serif" '
        'aria-label="Waveform of the sound above, motion of the picture below, on one axis in seconds">'
        f'{ticks}<path d="{bars}" stroke="#3a7bd5" stroke-width="1.5" fill="none"/>'
        f'<polyline points="{points}" stroke="#e8702a" stroke-width="2" fill="none"/>'
        '<text x="2" y="14" font-size="15" fill="#3a7bd5">sound</text>'
        f'<text x="2" y="{_LANE + 22}" font-size="15" fill="#e8702a">motion</text></svg>'
    )


def _x(share: float) -> str:
    return f"{share * _WIDTH:.1f}"
