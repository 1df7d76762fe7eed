"""How well each column tells right clips from their twins: AUC by truth and camera, over a take and of one window."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from bench.natural.corpus import IN_SYNC, Camera, Filmed
from bench.natural.measure import GOAL_COLUMN, NAIVE, P_GOOD, POLICY, Found
from bench.natural.table import Table, Value
from bench.natural.twins import FROZEN, MUSIC, NARRATED, SWAPPED
from bench.result import Goal, Row, measurement
from curation.scores.trends import trends

NEAR, FAR = ("late 0.3 s", "early 0.3 s"), ("late 0.5 s", "early 0.5 s")
AGAINST = {
    "+0.3": NEAR[:1], "-0.3": NEAR[1:], "0.3": NEAR, "+0.5": FAR[:1], "-0.5": FAR[1:], "0.5": FAR,
    "1.0": ("late 1 s", "early 1 s"), SWAPPED: (SWAPPED,), NARRATED: (NARRATED,), MUSIC: (MUSIC,), FROZEN: (FROZEN,),
}  # fmt: skip
MAIN = ("0.3", "0.5", SWAPPED)
UNITS = ("take", "window")
WANTED = {"0.3": 0.90, "0.5": 0.93, SWAPPED: 0.85}
WANTED_OF_WINDOWS = 0.80
ABOVE_NAIVE = 0.05


@dataclass(frozen=True, slots=True)
class Group:
    """Some of the clips that are in sync."""

    name: str
    keep: Callable[[Filmed], bool]


IN_SYNC_CLIPS = Group(" + ".join(IN_SYNC), lambda one: one.truth in IN_SYNC)
GROUPS = (
    IN_SYNC_CLIPS,
    *(Group(truth.value, lambda one, truth=truth: one.truth is truth) for truth in IN_SYNC),  # type: ignore[misc]
)
CAMERAS = tuple(
    Group(f"camera {camera}", lambda one, camera=camera: one.truth in IN_SYNC and one.camera is camera)  # type: ignore[misc]
    for camera in Camera
)


def rows(table: Table) -> list[Row]:
    """A row for each column, unit and truth; by camera only of the columns that matter most."""
    found = []
    for column in _columns(table):
        groups = GROUPS + CAMERAS if column in (GOAL_COLUMN, NAIVE, P_GOOD) else GROUPS
        found += [_row(table, column, unit, group) for group in groups for unit in UNITS]
    return [one for one in found if one is not None]


def goals_of_separation(table: Table) -> list[Goal]:
    """What the issue wants of the one column: over a take and of windows, and above the naive score."""
    return [*_aimed(table), *_floors(table)]


def left_out(table: Table) -> list[Goal]:
    """How much the figures hang on one collection: each repository left out in turn."""
    clips = table.right(IN_SYNC_CLIPS.keep)
    repositories = sorted({one.repository for one in clips})
    found = []
    for column in (GOAL_COLUMN, P_GOOD, NAIVE):
        for against in MAIN:
            told = []
            for repository in repositories:
                rest = [one for one in clips if one.repository != repository]
                one = table.separation(rest, AGAINST[against], _value(column, "take"))
                told.append((one.auc(), repository) if rest and one.measured else (np.nan, repository))
            known = [one for one in told if one[0] == one[0]]
            if known:
                (low, without), (high, besides) = min(known), max(known)
                words = f"{low:.3f} (without {without}) to {high:.3f} (without {besides})"
                found.append(measurement(f"{column}, take, {against}: one repository left out", words))
    return found


def _row(table: Table, column: str, unit: str, group: Group) -> Row | None:
    clips = table.right(group.keep)
    value = _value(column, unit)
    told = {name: table.separation(clips, kinds, value) for name, kinds in AGAINST.items()} if clips else {}
    if not any(one.measured for one in told.values()):
        return None
    row: Row = {"column": column, "unit": unit, "of": group.name, "clips": len(clips)}
    for name, one in told.items():
        row[name] = round(one.auc(), 3) if one.measured else None
        if name in MAIN and group is IN_SYNC_CLIPS and one.measured:
            row[name] = _with_interval(one.auc(), one.interval())
    return row


def _aimed(table: Table) -> Iterator[Goal]:
    clips = table.right(IN_SYNC_CLIPS.keep)
    for unit in UNITS if clips else ():
        for against, of_takes in WANTED.items():
            one = table.separation(clips, AGAINST[against], _value(GOAL_COLUMN, unit))
            wanted = of_takes if unit == "take" else WANTED_OF_WINDOWS
            found, what = one.auc(), f"AUC of {GOAL_COLUMN}, {unit}, {IN_SYNC_CLIPS.name}, against {against}"
            yield Goal(what, f">= {wanted}", _with_interval(found, one.interval()), found >= wanted)


def _floors(table: Table) -> Iterator[Goal]:
    for group in GROUPS:
        clips = table.right(group.keep)
        for unit in UNITS if clips else ():
            ours, theirs = (_aucs(table, clips, column, unit) for column in (GOAL_COLUMN, NAIVE))
            for against in MAIN:
                one, other = ours[against], theirs[against]
                what = f"AUC of {GOAL_COLUMN} less that of {NAIVE}, {unit}, {group.name}, against {against}"
                met = one >= other + ABOVE_NAIVE
                yield Goal(what, f">= {ABOVE_NAIVE}", f"{one - other:+.3f} ({one:.3f}, {other:.3f})", met)


def _aucs(table: Table, clips: Sequence[Filmed], column: str, unit: str) -> dict[str, float]:
    return {one: table.separation(clips, AGAINST[one], _value(column, unit)).auc() for one in MAIN}


def _columns(table: Table) -> list[str]:
    """The columns that say good or bad, and the three that are no score's."""
    there = {name for one in table.found for name in one.take}
    return [NAIVE, *(name for name in trends() if name in there), P_GOOD, POLICY]


def _value(column: str, unit: str) -> Value:
    """A file's value in a column, the right way round."""
    return partial(_pointing, column, unit, trends().get(column, 1))


def _pointing(column: str, unit: str, trend: int, one: Found) -> float:
    return trend * (one.take if unit == "take" else one.window).get(column, float("nan"))


def _with_interval(value: float, interval: tuple[float, float]) -> str:
    return f"{value:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"
