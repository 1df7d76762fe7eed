"""What a crawl of the web would bring: drawn films with the faults that real ones have, each with its label.

How often each comes is our guess, and no measurement: no collection that we know publishes such counts. A crawl of
one's own is described by other `shares` [ours].
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from training.world.catalogue import Split, film_seed, varied
from training.world.events import generator
from training.world.film import FilmSpec
from training.world.scenes import SCENES


class Fault(StrEnum):
    """What is wrong with a film of the web; `NONE` and `SHAKE` are good ones."""

    NONE = "none"
    SHAKE = "shake"
    SWAPPED = "swapped_sound"
    SHIFTED = "shifted_sound"
    NARRATED = "narrated_over"
    MUSIC = "music_over"
    STATIC = "static_picture"
    CUT = "cut_inside"
    OFF_SCREEN = "off_screen"

    @property
    def in_sync(self) -> bool:
        """Whether what is heard is what is seen, in time."""
        return self in (Fault.NONE, Fault.SHAKE)


SHARES: Mapping[Fault, float] = {
    Fault.NONE: 0.30,
    Fault.SHAKE: 0.10,
    Fault.SWAPPED: 0.12,
    Fault.SHIFTED: 0.10,
    Fault.NARRATED: 0.12,
    Fault.MUSIC: 0.10,
    Fault.STATIC: 0.05,
    Fault.CUT: 0.05,
    Fault.OFF_SCREEN: 0.06,
}
"""Of all films [ours, a guess: see the module]."""

SHAKE_SHARE = (0.02, 0.05)
"""Of the picture's shorter side."""
SHIFT_S = (0.15, 1.0)
LEVEL = (0.6, 1.5)
"""Of a voice or music, compared with the film's own sound."""


@dataclass(frozen=True, slots=True)
class CrawledFilm:
    """A film's specification and what is wrong with it."""

    spec: FilmSpec
    fault: Fault


def crawled(
    number: int,
    *,
    split: Split,
    shares: Mapping[Fault, float] = SHARES,
    duration_s: float = 4.0,
    fps: int = 24,
    height_px: int = 128,
    width_px: int = 128,
    rate_hz: int = 48_000,
) -> CrawledFilm:
    """The `number`-th film of a crawl: `varied`, with a fault drawn by its shares.

    Args:
        number, split: which film; together with the shares they decide everything.
        shares: how often each fault comes; what is not named never does. They need not add up to 1.
        duration_s, fps, height_px, width_px, rate_hz: the format.
    """
    base = varied(
        number,
        split=split,
        duration_s=duration_s,
        fps=fps,
        height_px=height_px,
        width_px=width_px,
        rate_hz=rate_hz,
    )
    random = generator(film_seed(number, split=split), "web")
    faults = list(shares)
    total = sum(shares.values())
    fault = faults[int(random.choice(len(faults), p=[shares[one] / total for one in faults]))]
    others = [scene for scene in SCENES if scene != base.scene]
    other = others[int(random.integers(len(others)))]
    amount = float(random.uniform())
    match fault:
        case Fault.SHAKE:
            shake = _between(SHAKE_SHARE, amount) * min(height_px, width_px)
            spec = replace(base, camera_shake_px=max(shake, base.camera_shake_px))
        case Fault.SWAPPED:
            spec = replace(base, sound_scene=other)
        case Fault.SHIFTED:
            spec = replace(base, sound_shift_s=_between(SHIFT_S, amount))
        case Fault.NARRATED:
            spec = replace(base, speech=_between(LEVEL, amount))
        case Fault.MUSIC:
            spec = replace(base, music=_between(LEVEL, amount))
        case Fault.STATIC:
            spec = replace(base, static=True)
        case Fault.CUT:
            spec = replace(base, cut_at_s=duration_s * _between((0.3, 0.7), amount), cut_to=other)
        case Fault.OFF_SCREEN:
            spec = replace(base, off_screen=True)
        case Fault.NONE:
            spec = base
    return CrawledFilm(spec, fault)


def _between(edges: tuple[float, float], share: float) -> float:
    return edges[0] + share * (edges[1] - edges[0])
