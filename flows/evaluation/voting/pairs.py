"""What a voter is asked, in which order, and which film is on which side: pure arithmetic on a seed.

A's film is on the left in half of a voter's pairs. Some pairs come a second time with their sides swapped, well after
the first; attention checks, whose answer is known, lie anywhere between.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Why a pair is shown."""

    PAIR = "pair"
    REPEAT = "repeat"
    """A pair that came before, its sides swapped."""

    CHECK = "check"
    """A true film, and the same one made worse."""


class Maker(StrEnum):
    """Whose film it is, or what was done to the true one."""

    A = "a"
    B = "b"
    TRUTH = "truth"
    LATE = "late"
    """The truth with its sound half a second late."""

    STILL = "still"
    """The truth's first frame alone."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One question: of which clip, and whose film is on either side."""

    kind: Kind
    clip: str
    left: Maker
    right: Maker

    def swapped(self, kind: Kind) -> "Trial":
        """The same films the other way round."""
        return Trial(kind, self.clip, self.right, self.left)


def draw(
    clips: Sequence[str], truths: Sequence[str], *, voter: str, seed: int, pairs: int, repeats: int, checks: int
) -> tuple[Trial, ...]:
    """All that one voter is asked, in order; the same arguments give the same.

    Args:
        clips: those that both have films of.
        truths: those whose true film is there; without any there are no checks.
        voter, seed: what sides and order depend on.
        pairs: of how many clips the voter sees A and B, at most.
        repeats: how many of them come twice, at most half.
        checks: how many attention checks there are, at most two of each true film.
    """
    lot = random.Random(f"{seed}/{voter}")
    chosen = lot.sample(sorted(clips), min(pairs, len(clips)))
    asked = [
        Trial(Kind.PAIR, clip, *((Maker.A, Maker.B) if left else (Maker.B, Maker.A)))
        for clip, left in zip(chosen, _halves(len(chosen), lot), strict=True)
    ]
    half = (len(asked) + 1) // 2
    # The earliest come again in the second half: nobody sees a pair twice in a row.
    again = [one.swapped(Kind.REPEAT) for one in asked[: min(repeats, len(asked) // 2)]]
    trials = _mixed(asked, again, lot, first=half)
    return tuple(_mixed(trials, _checks(truths, checks, lot), lot, first=0))


def _checks(truths: Sequence[str], count: int, lot: random.Random) -> list[Trial]:
    order = lot.sample(sorted(truths), len(truths))
    # One of each kind in turn; a film comes a second time only when all were shown, and then made worse otherwise.
    worse = [(clip, (Maker.LATE, Maker.STILL)[(at + turn) % 2]) for turn in (0, 1) for at, clip in enumerate(order)]
    drawn = worse[:count]
    return [
        Trial(Kind.CHECK, clip, *((Maker.TRUTH, made) if left else (made, Maker.TRUTH)))
        for (clip, made), left in zip(drawn, _halves(len(drawn), lot), strict=True)
    ]


def _mixed(kept: Sequence[Trial], more: Sequence[Trial], lot: random.Random, *, first: int) -> list[Trial]:
    """`kept` in its order, with the others at places from `first` on."""
    made = list(kept)
    for one in more:
        made.insert(lot.randint(min(first + 1, len(made)) if first else 0, len(made)), one)
    return made


def _halves(count: int, lot: random.Random) -> list[bool]:
    """As many True as False, or one more of either."""
    drawn = [at % 2 == 0 for at in range(count)] if lot.random() < 0.5 else [at % 2 == 1 for at in range(count)]
    lot.shuffle(drawn)
    return drawn
