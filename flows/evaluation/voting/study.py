"""A study: two sets of films, what is asked of everybody, and the folder in which its votes lie.

What was decided when it began is kept in `study.json`: a voter who comes back, or another one, is asked by the same
rules, and films of somebody else are refused.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from flows.evaluation.voting.films import films_of, made_worse, truths_of, with_sound
from flows.evaluation.voting.pairs import Maker, Trial, draw
from flows.evaluation.voting.votes import Votes
from shards.errors import BadInput
from shards.files import write_atomic

STUDY, CHECKS = "study.json", "checks"
PAIRS = 40
ONE_IN = 8
"""So many pairs make one repeat, and one check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is asked: `pairs`, `repeats` and `checks` of each voter, drawn by `seed` from `clips` and `truths`."""

    a: str
    b: str
    pairs: int
    repeats: int
    checks: int
    seed: int
    clips: tuple[str, ...]
    truths: tuple[str, ...]

    def trials(self, voter: str) -> tuple[Trial, ...]:
        """All that a voter is asked."""
        return draw(
            self.clips,
            self.truths,
            voter=voter,
            seed=self.seed,
            pairs=self.pairs,
            repeats=self.repeats,
            checks=self.checks,
        )


@dataclass(frozen=True)
class Study:
    """A study that is running: its plan, and where films lie."""

    folder: Path
    plan: Plan
    films: Mapping[Maker, Mapping[str, Path]]
    left_out: tuple[str, ...] = field(default=())

    @cached_property
    def votes(self) -> Votes:
        """Its record."""
        return Votes(self.folder)

    def film(self, maker: Maker, clip: str) -> Path:
        """A film; what attention checks need is made when it is first asked for."""
        if maker in (Maker.A, Maker.B):
            return self.films[maker][clip]
        return made_worse(clip, self.films[Maker.TRUTH][clip], self.folder / CHECKS)[maker]


def open_study(
    a: Path,
    b: Path,
    folder: Path,
    *,
    pairs: int | None = None,
    repeats: int | None = None,
    checks: int | None = None,
    seed: int | None = None,
) -> Study:
    """Begin a study, or go on with the one that lies in `folder`.

    Args:
        a, b: finished evaluations, or folders of mp4; only clips that both have are shown.
        folder: where plan, votes and the films of the checks lie.
        pairs, repeats, checks, seed: None takes what the study has, or the defaults.

    Raises:
        BadInput: there are no films with sound of the same clip, or the folder holds another study.
    """
    found = {Maker.A: films_of(a), Maker.B: films_of(b)}
    both = sorted(found[Maker.A].keys() & found[Maker.B].keys())
    heard = [with_sound({clip: films[clip] for clip in both}) for films in found.values()]
    clips = [clip for clip in both if all(clip in one for one in heard)]
    if not clips:
        why = "none of the films that both have can be played with sound" if both else "they have no clip in common"
        raise BadInput(
            f"{a} and {b} cannot be compared: {why}", remedy="name films of the same clips alike, with sound"
        )
    truths = with_sound(truths_of(b) | truths_of(a))
    shown = min(PAIRS if pairs is None else pairs, len(clips))
    plan = Plan(
        a=str(a.resolve()),
        b=str(b.resolve()),
        pairs=shown,
        repeats=min(-(-shown // ONE_IN) if repeats is None else repeats, shown // 2),
        checks=min(-(-shown // ONE_IN) if checks is None else checks, 2 * len(truths)),
        seed=seed or 0,
        clips=tuple(clips),
        truths=tuple(sorted(truths)),
    )
    if (folder / STUDY).is_file():
        asked = {"pairs": pairs, "repeats": repeats, "checks": checks, "seed": seed}
        plan = _same(read_plan(folder), plan, {name for name, value in asked.items() if value is not None}, folder)
    else:
        write_atomic(folder / STUDY, json.dumps(asdict(plan), indent=1).encode())
    return Study(folder, plan, found | {Maker.TRUTH: truths}, tuple(clip for clip in both if clip not in clips))


def read_plan(folder: Path) -> Plan:
    """The plan of the study in a folder.

    Raises:
        BadInput: there is none.
    """
    if not (folder / STUDY).is_file():
        raise BadInput(f"{folder} holds no study", remedy="begin one: clapboard evaluate vote A B --out FOLDER")
    said: dict[str, Any] = json.loads((folder / STUDY).read_text(encoding="utf-8"))
    return Plan(**said | {"clips": tuple(said["clips"]), "truths": tuple(said["truths"])})


def _same(kept: Plan, now: Plan, asked: set[str], folder: Path) -> Plan:
    """The plan that is kept, if what is there now and what is asked for fit it."""
    differ = [name for name in ("a", "b", *sorted(asked)) if getattr(kept, name) != getattr(now, name)]
    lost = (set(kept.clips) - set(now.clips)) | (set(kept.truths) - set(now.truths))
    if differ or lost:
        what = f"another {', '.join(differ)}" if differ else f"films that are gone, such as {min(lost)}"
        raise BadInput(
            f"the study in {folder} has {what}", remedy="name another --out, or give what the study began with"
        )
    return kept
