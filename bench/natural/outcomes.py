"""What curation decides of filmed clips and of their twins: bands, reasons, offsets and corrections."""

from collections import Counter
from collections.abc import Iterator, Sequence

from bench.natural.corpus import IN_SYNC, Truth
from bench.natural.measure import OFFSET, SURE_FROM, Found
from bench.natural.separation import IN_SYNC_CLIPS
from bench.natural.table import BANDS, Table
from bench.natural.twins import KINDS, RIGHT, SHIFTS_S, SWAPPED
from bench.result import Goal, measurement
from curation.decide.policy import Band
from curation.outcomes import Outcome

NEAR_S = 0.06
MOVED_US = 80_000
TOLD_S = 0.5
"""Offsets are looked at up to this shift: one of 1 s lies at the end of those that scores look at."""

WRONG = (*SHIFTS_S, SWAPPED)
"""Twins that no one may accept: those whose sound was moved or is another's."""


def goals_of_decisions(table: Table) -> Iterator[Goal]:
    """What the issue wants of decisions, of clips in which something is seen to sound."""
    clips = table.right(IN_SYNC_CLIPS.keep)
    if not clips:
        return
    right, wrong = table.files(clips, RIGHT), table.files(clips, *WRONG)
    yield _at_most("right clips rejected", [one.outcome == Band.REJECT for one in right], 0.10)
    yield _at_least("right clips accepted", [one.outcome == Band.ACCEPT for one in right], 0.40)
    yield _at_most("wrong twins (moved, swapped) accepted", [one.outcome == Band.ACCEPT for one in wrong], 0.10)
    yield _precision(right, wrong)
    yield from _offsets(table)
    moved = [one.moved_us > MOVED_US for one in right]
    yield _at_most(f"right clips moved by more than {MOVED_US // 1000} ms by the correction", moved, 0.02)


def decisions(table: Table) -> Iterator[Goal]:
    """How many files of each truth, and of each kind of twin, end in which band."""
    for truth in Truth:
        files = table.files(table.right(lambda one, truth=truth: one.truth is truth), RIGHT)  # type: ignore[misc]
        if files:
            yield measurement(f"as they are, {truth}: accepted / review / rejected of all", _bands(files))
    clips = table.right(IN_SYNC_CLIPS.keep)
    for kind in KINDS:
        if files := table.files(clips, kind):
            yield measurement(f"{kind}, {IN_SYNC_CLIPS.name}: accepted / review / rejected of all", _bands(files))


def said_of_right(table: Table) -> Iterator[Goal]:
    """What is said of the windows of right clips: band and first reason, the commonest first."""
    for truth in (*IN_SYNC, Truth.AMBIENT):
        files = table.files(table.right(lambda one, truth=truth: one.truth is truth), RIGHT)  # type: ignore[misc]
        said = Counter[str]()
        for one in files:
            said.update(one.reasons)
        if said:
            words = ", ".join(f"{what} {count}" for what, count in said.most_common())
            yield measurement(f"windows of right clips, {truth}: {said.total()}", words)


def _precision(right: Sequence[Found], wrong: Sequence[Found]) -> Goal:
    """How often "unsynchronised" is true of a window, right and wrong windows equally common."""
    word = f"{Band.REJECT}: {Outcome.UNSYNCHRONISED}"
    shares = []
    for files in (right, wrong):
        said, windows = sum(one.reasons.get(word, 0) for one in files), sum(sum(one.reasons.values()) for one in files)
        shares.append(said / max(windows, 1))
    told = sum(shares)
    found = shares[1] / told if told else float("nan")
    words = f"{found:.3f} (said of {shares[0]:.1%} of right windows, {shares[1]:.1%} of wrong ones)"
    what = "precision of `unsynchronised`, windows, right and wrong equally common"
    return Goal(what, ">= 0.9", words, found >= 0.9)


def _offsets(table: Table) -> Iterator[Goal]:
    """How often offsets are right where they are said to be sure, and how often they are."""
    clips = table.right(IN_SYNC_CLIPS.keep)
    kinds = [RIGHT, *(kind for kind, shift_s in SHIFTS_S.items() if abs(shift_s) <= TOLD_S)]
    sure = [one for one in table.files(clips, *kinds) if one.sure_offset_s is not None]
    near = [abs((one.sure_offset_s or 0.0) - one.late_s) <= NEAR_S for one in sure]
    where = f"confidence >= {SURE_FROM}, right and moved up to {TOLD_S:g} s"
    yield _at_least(f"{OFFSET} within {1000 * NEAR_S:.0f} ms where sure ({where})", near, 0.8)
    action = table.files(table.right(lambda one: one.truth is Truth.ACTION), RIGHT)
    yield _at_least("action clips whose offset is sure", [one.sure_offset_s is not None for one in action], 0.4)


def _bands(files: Sequence[Found]) -> str:
    counts = Counter(one.outcome for one in files)
    return f"{' / '.join(str(counts[band]) for band in BANDS)} of {len(files)}"


def _at_most(what: str, ones: Sequence[bool], most: float) -> Goal:
    share = _share(ones)
    return Goal(what, f"<= {most:.0%}", f"{share:.1%} of {len(ones)}", share <= most)


def _at_least(what: str, ones: Sequence[bool], least: float) -> Goal:
    share = _share(ones)
    return Goal(what, f">= {least:.0%}", f"{share:.1%} of {len(ones)}", share >= least)


def _share(ones: Sequence[bool]) -> float:
    return sum(ones) / len(ones) if ones else float("nan")
