"""The sound of a span at the rate that a network wants to hear."""

import math

import numpy as np
from numpy.typing import NDArray

from curation.media.timeline import Timeline, Window


def sound_of(line: Timeline, start_us: int, end_us: int, rate_hz: int) -> NDArray[np.float32]:
    """(samples,) of [start, end) at `rate_hz`; above half the rate of the analysis nothing is heard."""
    sound = Window(line, start_us, end_us).sound()
    if line.rate_hz == rate_hz:
        return sound
    from scipy.signal import resample_poly

    divisor = math.gcd(rate_hz, line.rate_hz)
    wide = np.asarray(resample_poly(sound, rate_hz // divisor, line.rate_hz // divisor), np.float32)
    count = (end_us - start_us) * rate_hz // 1_000_000
    return np.pad(wide, (0, max(count - len(wide), 0)))[:count]
