"""When things strike: irregular times whose truth a measurement cannot mistake.

Gaps are 0.35 to 0.9 s, so that about six strikes fall into a 3 s window and sound late by half a second never meets
the next strike by habit. Chance could still line a sequence up with itself (or two unrelated ones with each other) at
some offset, above all in a short window; of `CANDIDATES` drawn sequences the one that does so least is kept [ours].
"""

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHORTEST_GAP_S = 0.35
LONGEST_GAP_S = 0.9
LEAD_S = 1.0
CANDIDATES = 160
BATCH = 16
SPAN_S = 3.0
BUMP_S = 0.06

Times = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Moment:
    """What a scene knows when it draws one frame.

    Attributes:
        time_s: the frame's time.
        index: number of the latest strike; the next one has `index + 1`.
        since_s, until_s: time since the latest strike (>= 0) and until the next one (> 0).
        strength, next_strength: how hard those two are, 0.7 to 1.
    """

    time_s: float
    index: int
    since_s: float
    until_s: float
    strength: float
    next_strength: float

    def flash(self, fade_s: float) -> float:
        """Brightness of an impact light: `strength` at the strike, falling by e every `fade_s`."""
        return self.strength * float(np.exp(-self.since_s / fade_s))

    def lift(self, *, side: int | None = None) -> float:
        """How far the striker is drawn back: 0 at contact, near 1 between; fastest right at contact.

        With a `side` (0 or 1) only every other strike moves it, as with two drumsticks.
        """
        after, before = 1.0, 1.0
        if side is None or self.index % 2 == side:
            after = float(np.tanh(self.since_s / 0.20))
        if side is None or (self.index + 1) % 2 == side:
            before = float(np.tanh(self.until_s / 0.09))
        return after * before * (0.6 + 0.4 * self.next_strength)


@dataclass(frozen=True, slots=True)
class Strikes:
    """A sequence of strikes that begins before the film and ends after it, so motion never starts from rest.

    Attributes:
        times_s: (strikes,) ascending, each on a frame's time.
        strengths: (strikes,) in [0.7, 1].
    """

    times_s: Times
    strengths: Times

    def at(self, time_s: float) -> Moment:
        """The moment `time_s`, which must lie inside the sequence."""
        index = int(np.searchsorted(self.times_s, time_s + 1e-6, side="right")) - 1
        return Moment(
            time_s=time_s,
            index=index,
            since_s=max(time_s - float(self.times_s[index]), 0.0),
            until_s=float(self.times_s[index + 1]) - time_s,
            strength=float(self.strengths[index]),
            next_strength=float(self.strengths[index + 1]),
        )


def generator(seed: int, purpose: str) -> np.random.Generator:
    """A random generator that depends on the seed and on what it is for, and on nothing else."""
    return np.random.default_rng([seed, zlib.crc32(purpose.encode())])


def draw_strikes(
    seed: int,
    *,
    duration_s: float,
    fps: int,
    unlike: Times | None = None,
    purpose: str = "strikes",
    candidates: int | None = None,
) -> Strikes:
    """Strikes from `LEAD_S` before the film to `LEAD_S` after it, on frame times.

    Args:
        seed: decides everything.
        duration_s: length of the film.
        fps: frames a second; times are whole multiples of 1 / fps.
        unlike: times of other events with which these must not agree at any offset up to a second.
        purpose: what strikes; one seed has other times for another purpose.
        candidates: of how many sequences the best is kept; by default `CANDIDATES`, four times as many with `unlike`.
    """
    random = generator(seed, purpose)
    many = candidates or (CANDIDATES if unlike is None else 4 * CANDIDATES)
    drawn = _strike_frames(random, many, duration_s, fps)
    curves = np.stack([pulse_curve(frames / fps, duration_s=duration_s, fps=fps) for frames in drawn])
    other = None if unlike is None else pulse_curve(unlike, duration_s=duration_s, fps=fps)
    likeness = np.concatenate(
        [
            chance_agreements(some, some if other is None else np.broadcast_to(other, some.shape), fps=fps)
            for some in np.split(curves, range(BATCH, many, BATCH))
        ]
    )
    best = drawn[int(np.argmin(likeness))]
    return Strikes(times_s=best / fps, strengths=random.uniform(0.7, 1.0, len(best)))


def resting(strikes: Strikes) -> Strikes:
    """The first and the last of a sequence, which lie outside the film: nothing strikes in it."""
    return Strikes(times_s=strikes.times_s[[0, -1]], strengths=strikes.strengths[[0, -1]])


def pulse_curve(times_s: Times, *, duration_s: float, fps: int) -> NDArray[np.float64]:
    """(frames,) a smooth bump for each event, `BUMP_S` wide; begins `LEAD_S` before the film, ends as much after."""
    clock = np.arange(round((duration_s + 2 * LEAD_S) * fps)) / fps - LEAD_S
    bumps: NDArray[np.float64] = np.exp(-0.5 * ((clock[:, None] - times_s[None, :]) / BUMP_S) ** 2).sum(axis=1)
    return bumps


def chance_agreement(seen: NDArray[np.float64], heard: NDArray[np.float64], *, fps: int) -> float:
    """Highest correlation that any span of 3 s of one curve has with the other at an offset of up to a second.

    Args:
        seen, heard: (frames,) curves of `pulse_curve`; if they are the same array, offsets below the shortest gap's
            half do not count.
        fps: frames a second.
    """
    one = seen[None]
    return float(chance_agreements(one, one if seen is heard else heard[None], fps=fps)[0])


def chance_agreements(seen: NDArray[np.float64], heard: NDArray[np.float64], *, fps: int) -> NDArray[np.float64]:
    """`chance_agreement` of many pairs at once: (pairs, frames) curves give (pairs,) correlations."""
    span, reach = min(round(SPAN_S * fps), seen.shape[1] - 2 * fps), fps
    windows = _evened(np.lib.stride_tricks.sliding_window_view(heard, span, axis=1))
    offsets = np.arange(-reach, reach + 1)
    if seen is heard:
        offsets = offsets[np.abs(offsets) > SHORTEST_GAP_S * fps / 2]
    firsts = np.arange(reach, seen.shape[1] - span - reach + 1, fps)
    own = _evened(np.lib.stride_tricks.sliding_window_view(seen, span, axis=1)[:, firsts])
    found = np.einsum("pws,pwos->pwo", own, windows[:, firsts[:, None] + offsets[None, :]])
    highest: NDArray[np.float64] = found.max(axis=(1, 2))
    return highest


def _evened(windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """(pairs, windows, span) each window at mean 0 and norm 1."""
    windows = windows - windows.mean(axis=2, keepdims=True)
    windows /= np.linalg.norm(windows, axis=2, keepdims=True) + 1e-9
    return windows


def _strike_frames(random: np.random.Generator, many: int, duration_s: float, fps: int) -> list[NDArray[np.int64]]:
    """Candidate sequences, each (strikes,) in frames."""
    shortest, longest = int(np.ceil(SHORTEST_GAP_S * fps)), int(LONGEST_GAP_S * fps)
    span = duration_s + 2 * LEAD_S
    gaps = random.integers(shortest, longest + 1, size=(many, int(span / SHORTEST_GAP_S) + 2))
    frames = np.cumsum(gaps, axis=1) - int(LEAD_S * fps) - longest
    ends = np.sum(frames < (duration_s + LEAD_S) * fps, axis=1) + 1
    return [row[:end] for row, end in zip(frames, ends, strict=True)]
