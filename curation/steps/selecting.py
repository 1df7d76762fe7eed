"""Which clips a snapshot takes, as the ledger has them in one moment.

They are read once, in the order of their videos, and wait on the disk: while they are cut, which may take hours, others
may decide anew, and a snapshot shall be of one decision. In memory there is a page of them at a time.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Select, Text, cast, false, select

from curation.clips import clip_id
from curation.decide.policy import Band
from curation.home.cutting import Span
from curation.ledger.open import Ledger
from curation.ledger.tables import ClipRow, JudgedRow, SourceEntry, VerdictRow, Video
from curation.outcomes import Outcome
from curation.verdicts.judged import accepted, keep_as_judged, left_out

PAGE = 1024
"""Clips that are in memory, and cut, at a time; the last video of a page is whole. [ours]"""


class Selection(StrEnum):
    """Which clips a snapshot takes; also its usual name."""

    AUTO = "auto"
    CURATED = "curated"


@dataclass(frozen=True, slots=True)
class Dropped:
    """A clip of a selection, or a part that a reviewer left of one, that is not in the snapshot, and why."""

    clip_id: str
    link: str
    start_us: int
    end_us: int
    outcome: Outcome


class Chosen(NamedTuple):
    """A clip of a selection with all that its record tells; what a person said of it is None where nobody did.

    `judged_late_us` is how late its sound was for the reviewer, `judged_cut` how cutting it as it was left went last.
    """

    clip_id: str
    video_id: str
    start_us: int
    end_us: int
    band: str
    reasons: list[str]
    p_good: float
    scores: str
    policy: str
    sound_late_us: int
    verdict_id: int | None
    verdict: str | None
    reviewer: str | None
    reason: str | None
    new_label: str | None
    new_caption: str | None
    parts: list[list[int]] | None
    moved_late_us: int | None
    judged_late_us: int | None
    judged_cut: str | None
    table: str
    caption: str
    label: str
    licence: str
    link: str
    local: bool
    video_sha256: str | None
    fetch: str | None
    fetch_detail: str
    analysis: str | None
    analysis_detail: str


_COLUMNS = (
    ClipRow.id, ClipRow.video_id, ClipRow.start_us, ClipRow.end_us, ClipRow.band, ClipRow.reasons, ClipRow.p_good,
    cast(ClipRow.scores, Text), ClipRow.policy, ClipRow.sound_late_us,
    VerdictRow.id, VerdictRow.verdict, VerdictRow.reviewer, VerdictRow.reason, VerdictRow.label, VerdictRow.caption,
    VerdictRow.parts, VerdictRow.sound_late_us,
    JudgedRow.sound_late_us, JudgedRow.cut,
    SourceEntry.table_name, SourceEntry.caption, SourceEntry.label, SourceEntry.licence,
    Video.link, Video.local, Video.sha256, Video.fetch, Video.fetch_detail, Video.analysis, Video.analysis_detail,
)  # fmt: skip
"""What `Chosen` is read from, in its order."""


@dataclass(frozen=True, slots=True)
class Pick:
    """A clip of a selection, or the part of it that a reviewer left, with what is to be cut.

    `proposed_late_us` is how far its sound was moved by the policy: in a clip that people judged, when they did.
    """

    clip: Chosen
    start_us: int
    end_us: int
    span: Span
    proposed_late_us: int

    @property
    def key(self) -> str:
        """The id of what is cut."""
        return clip_id(self.clip.video_id, self.start_us, self.end_us)

    def dropped(self, outcome: Outcome) -> Dropped:
        """It, as what is left out."""
        return Dropped(self.clip.clip_id, self.clip.link, self.start_us, self.end_us, outcome)


class ChosenClips:
    """The clips of a selection, on the disk; use as a context manager, which forgets them. `len` counts what is cut."""

    def __init__(self, ledger: Ledger, selection: Selection, *, folder: Path) -> None:
        """Read them from a ledger; the file lies in a folder, under no name."""
        with ledger.session() as session:
            keep_as_judged(session)
        self._count = 0
        self._file: Any = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        # One statement, which sees one moment. The clips of a video come together, so that it is at hand just once.
        rows = _selected(selection, *_COLUMNS).order_by(ClipRow.video_id, ClipRow.id)
        try:
            with ledger.session() as session:
                for row in session.execute(rows.execution_options(yield_per=PAGE)):
                    self._file.write(json.dumps(list(row)).encode() + b"\n")
                    self._count += len(_parts(Chosen._make(row)))
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "ChosenClips":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._count

    def pages(self) -> Iterator[list[Pick]]:
        """What is to be cut, some hundred clips of whole videos at a time; may be read again when it was read."""
        page: list[Pick] = []
        for pick in self.picks():
            if len(page) >= PAGE and pick.clip.video_id != page[-1].clip.video_id:
                yield page
                page = []
            page.append(pick)
        if page:
            yield page

    def picks(self) -> Iterator[Pick]:
        """The same one by one."""
        self._file.seek(0)
        for line in self._file:
            yield from _picks_of(Chosen._make(json.loads(line)))


def clips_to_publish(ledger: Ledger, selection: Selection) -> Iterator[str]:
    """Ids of the clips of a selection, in order."""
    ids = _selected(selection, ClipRow.id).order_by(ClipRow.id)
    with ledger.session() as session:
        yield from session.scalars(ids.execution_options(yield_per=PAGE))


def accepted_and_left_out(ledger: Ledger) -> Iterator[Dropped]:
    """Clips that people accepted and that are not cut at all, in order of id."""
    why = left_out()
    rows = accepted(ClipRow.id, Video.link, ClipRow.start_us, ClipRow.end_us, why).where(why.is_not(None))
    with ledger.session() as session:
        for clip, link, start_us, end_us, outcome in session.execute(rows.order_by(ClipRow.id)).tuples():
            yield Dropped(clip, link, start_us, end_us, Outcome(outcome))


def _selected(selection: Selection, *columns: Any) -> Select[Any]:
    """The clips of a selection; of the curated one with the verdict that counts."""
    if selection is Selection.CURATED:
        return accepted(*columns).where(left_out().is_(None))
    # What people said is the curated set's; the automatic one is as if nobody had looked.
    return (
        select(*columns)
        .select_from(ClipRow)
        .join(SourceEntry, SourceEntry.id == ClipRow.source_id)
        .join(Video, Video.id == ClipRow.video_id)
        .outerjoin(VerdictRow, false())
        .outerjoin(JudgedRow, false())
        .where(ClipRow.current, ClipRow.band == Band.ACCEPT, ClipRow.duplicate_of.is_(None))
        .where(SourceEntry.outcome == Outcome.OK)
    )


def _picks_of(clip: Chosen) -> Iterator[Pick]:
    proposed_late_us = clip.sound_late_us if clip.judged_late_us is None else clip.judged_late_us
    late_us = proposed_late_us if clip.moved_late_us is None else clip.moved_late_us
    for start_us, end_us in _parts(clip):
        part = None if (start_us, end_us) == (clip.start_us, clip.end_us) else (start_us, end_us)
        yield Pick(clip, start_us, end_us, Span(clip.clip_id, late_us, part), proposed_late_us)


def _parts(clip: Chosen) -> Sequence[Sequence[int]]:
    """Spans of the source that a reviewer left, or all of the clip."""
    return clip.parts or [(clip.start_us, clip.end_us)]
