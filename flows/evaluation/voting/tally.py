"""What the votes say: who is preferred, how sure that is, and how far each voter is to be believed.

A voter's pairs are counted once each: repeats tell whether the voter says the same again, checks whether anybody was
looking. Wilson's interval takes answers for independent; the bootstrap draws whole videos, whose clips, and whose
answers by several voters, are no two witnesses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from curation.review.numbers import alpha
from flows.evaluation.voting.pairs import Kind, Maker
from flows.evaluation.voting.votes import Choice, Vote
from training.evaluate.statistics import Estimate, mean_of, win_rate

LEAST_RIGHT = 0.75
"""Who gets a smaller share of the checks right has failed them [ours]."""


@dataclass(frozen=True, slots=True)
class VoterTally:
    """One voter: answers to pairs, repeats that got the same answer, checks that were right, and lefts of all sides."""

    voter: str
    pairs: int
    repeats: int
    repeats_same: int
    checks: int
    checks_right: int
    sided: int
    left: int

    @property
    def failed(self) -> bool:
        """Whether the checks say that nobody was looking."""
        return self.checks > 0 and self.checks_right < LEAST_RIGHT * self.checks


@dataclass(frozen=True, slots=True)
class Tally:
    """A study's result.

    Attributes:
        a, b, same: answers to pairs; `unseen` could not be played and count for nothing else.
        clips: of how many clips there are answers.
        win_rate: A's share of the answers that name a side, with Wilson's interval.
        win_rate_by_video: the same with the bootstrap's interval.
        preference: A's share where no difference counts as half, with the bootstrap's interval.
        agreement: Krippendorff's alpha between voters; None where no clip has two, or all say the same.
        voters: all of them, left out or not.
        left_out: whose answers were not counted.
    """

    a: int
    b: int
    same: int
    unseen: int
    clips: int
    win_rate: Estimate
    win_rate_by_video: Estimate
    preference: Estimate
    agreement: float | None
    voters: tuple[VoterTally, ...]
    left_out: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self) | {"voters": [asdict(one) | {"failed": one.failed} for one in self.voters]}


def tallied(votes: Sequence[Vote], *, leave_out_failed: bool = False) -> Tally:
    """Count votes that stand; with `leave_out_failed` not those of voters who failed the checks."""
    voters = tuple(_voter(name, votes) for name in sorted({one.voter for one in votes}))
    left_out = tuple(one.voter for one in voters if one.failed and leave_out_failed)
    asked = [one for one in votes if one.trial.kind is Kind.PAIR and one.voter not in left_out]
    said = [one for one in asked if one.choice is not Choice.UNSEEN]
    sided = [one for one in said if one.chosen]
    wins = [float(one.chosen is Maker.A) for one in sided]
    by_clip: dict[str, dict[str, str]] = {}
    for one in said:
        by_clip.setdefault(one.trial.clip, {})[one.voter] = one.chosen or Choice.SAME
    return Tally(
        a=sum(map(int, wins)),
        b=len(wins) - sum(map(int, wins)),
        same=len(said) - len(sided),
        unseen=len(asked) - len(said),
        clips=len(by_clip),
        win_rate=win_rate(sum(wins), len(wins)),
        win_rate_by_video=mean_of(wins, _videos(sided)),
        preference=mean_of(
            [1.0 if one.chosen is Maker.A else 0.0 if one.chosen else 0.5 for one in said], _videos(said)
        ),
        agreement=alpha(list(by_clip.values())),
        voters=voters,
        left_out=left_out,
    )


def _voter(name: str, votes: Sequence[Vote]) -> VoterTally:
    own = [one for one in votes if one.voter == name and one.choice is not Choice.UNSEEN]
    first: Mapping[str, Maker | None] = {one.trial.clip: one.chosen for one in own if one.trial.kind is Kind.PAIR}
    again = [one for one in own if one.trial.kind is Kind.REPEAT and one.trial.clip in first]
    checks = [one for one in own if one.trial.kind is Kind.CHECK]
    sided = [one for one in own if one.chosen]
    return VoterTally(
        voter=name,
        pairs=len(first),
        repeats=len(again),
        repeats_same=sum(one.chosen is first[one.trial.clip] for one in again),
        checks=len(checks),
        checks_right=sum(one.chosen is Maker.TRUTH for one in checks),
        sided=len(sided),
        left=sum(one.choice is Choice.LEFT for one in sided),
    )


def _videos(votes: Sequence[Vote]) -> list[str]:
    """Whose clips they are: VIDEO of VIDEO_clip-N."""
    return [one.trial.clip.rpartition("_clip-")[0] or one.trial.clip for one in votes]
