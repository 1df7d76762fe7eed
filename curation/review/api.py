"""The review page's JSON: what the browser asks for and sends. Everything is about the reviewer who is signed in."""

import time
import uuid
from collections.abc import Callable
from http import HTTPStatus
from threading import Lock
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import select

from curation.ledger.open import Ledger
from curation.ledger.tables import SourceEntry, VerdictRow
from curation.review import words
from curation.review.answers import Answer, Edits, answer, undo
from curation.review.media import REACH_US, Media
from curation.review.progress import Enough, Progress, progress
from curation.review.queue import Item, claim, hold, items, let_go
from curation.review.settings import ReviewSettings
from curation.review.verdicts import RejectReason, State, UnknownClip, Verdict

MOST_AT_ONCE = 8
LONGEST_WORDS = 400
MOST_PARTS = 8
LONGEST_LOOK_S = 3600.0
LONG_QUEUE, STALE_S = 2000, 1.0

PROBLEM_STATUSES = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)

ClipId = Annotated[str, Field(min_length=1, max_length=40)]
TimeUs = Annotated[int, Field(ge=0, le=2**53)]


class Strict(BaseModel):
    """What comes from a browser: known names only."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AnswerIn(Strict):
    """An answer. `key` is made once for it, so that sending it twice counts once."""

    key: uuid.UUID
    clip_id: ClipId
    verdict: Verdict
    reason: RejectReason | None = None
    label: Annotated[str, Field(max_length=LONGEST_WORDS)] | None = None
    caption: Annotated[str, Field(max_length=LONGEST_WORDS)] | None = None
    parts: Annotated[list[tuple[TimeUs, TimeUs]], Field(min_length=1, max_length=MOST_PARTS)] | None = None
    sound_late_us: Annotated[int, Field(ge=-REACH_US, le=REACH_US)] | None = None
    seconds: Annotated[float, Field(ge=0, le=LONGEST_LOOK_S)] | None = None
    page: Annotated[str, Field(max_length=40)] = ""

    @model_validator(mode="after")
    def _reason_goes_with_a_rejection(self) -> "AnswerIn":
        if self.verdict is Verdict.UNDO:
            raise ValueError("undo has a route of its own")
        if (self.verdict is Verdict.REJECT) != (self.reason is not None):
            raise ValueError("a rejection needs a reason, and nothing else has one")
        return self


class UndoIn(Strict):
    """Take back the newest answer."""

    key: uuid.UUID
    page: Annotated[str, Field(max_length=40)] = ""


class HoldIn(Strict):
    """Clips that are still on the desk."""

    clip_ids: Annotated[list[ClipId], Field(max_length=MOST_AT_ONCE)]


class MeasureOut(BaseModel):
    """One line of what the scores say."""

    name: str
    value: str


class ProblemOut(BaseModel):
    """A refusal: what is wrong, and what mends it."""

    error: str
    remedy: str


class EditsOut(BaseModel):
    """What a reviewer had changed."""

    label: str | None = None
    caption: str | None = None
    parts: list[tuple[int, int]] | None = None
    sound_late_us: int | None = None


class ClipOut(BaseModel):
    """A clip as it lies on the desk. `link` is empty unless it is a web address; `source` is what to show."""

    clip_id: str
    caption: str
    label: str
    licence: str
    title: str
    uploader: str
    link: str
    source: str
    span: str
    start_us: int
    end_us: int
    sound_late_us: int
    why: list[str]
    timing: str
    p_good: float
    measures: list[MeasureOut]
    disputed: bool
    edits: EditsOut = EditsOut()


class ClassOut(BaseModel):
    """A class and its target (0: all there are)."""

    label: str
    accepted: int
    waiting: int
    target: int


class ProgressOut(BaseModel):
    """The queue. `enough` says in words why one may stop, and is empty if one may not."""

    waiting: int
    disputed: int
    accepted: int
    rejected: int
    classes: list[ClassOut]
    precision: str
    enough: str
    saved: int


class NextOut(BaseModel):
    """The clips that are now this reviewer's, in order, and the queue."""

    clips: list[ClipOut]
    progress: ProgressOut


class AnsweredOut(BaseModel):
    """That an answer was written, and the queue after it."""

    progress: ProgressOut


class UndoneOut(BaseModel):
    """The clip whose answer was taken back, as it had been left; None if there was none."""

    clip: ClipOut | None
    progress: ProgressOut


class HeldOut(BaseModel):
    """Which clips are still this reviewer's."""

    held: list[str]


PROBLEMS: dict[int | str, dict[str, Any]] = {
    **{int(status): {"model": ProblemOut} for status in PROBLEM_STATUSES},
    int(HTTPStatus.UNAUTHORIZED): {"description": "Nobody is signed in.", "content": {"text/html": {}}},
}
"""What every route may answer instead: its own refusals, and those of the gate before it."""


def reviewer_of(request: Request) -> str:
    """Who is signed in; the gate lets nobody else through."""
    name: str = request.state.reviewer
    return name


Reviewer = Annotated[str, Depends(reviewer_of)]


def make_api(
    ledger: Ledger, *, media: Media, settings: ReviewSettings, on_enough: Callable[[Progress], object]
) -> APIRouter:
    """All routes below /api."""
    api = APIRouter(prefix="/api", responses=PROBLEMS)
    queue = _Queue(ledger, settings, on_enough)

    @api.get("/next")
    def next_clips(reviewer: Reviewer, count: Annotated[int, Query(ge=1, le=MOST_AT_ONCE)] = 2) -> NextOut:
        held = claim(ledger, reviewer, settings, count=count)
        return NextOut(clips=[_clip(item) for item in items(ledger, held)], progress=queue.state())

    @api.post("/answers")
    def take_answer(given: AnswerIn, reviewer: Reviewer) -> AnsweredOut:
        answer(ledger, _answer(given, reviewer), settings)
        return AnsweredOut(progress=queue.state())

    @api.post("/undo")
    def take_back(given: UndoIn, reviewer: Reviewer) -> UndoneOut:
        clip_id = undo(ledger, reviewer, key=str(given.key), page=given.page)
        clip = None
        if clip_id is not None:
            clip = _clip(items(ledger, [clip_id])[0]).model_copy(
                update={"edits": _last_edits(ledger, reviewer, clip_id)}
            )
        return UndoneOut(clip=clip, progress=queue.state())

    @api.post("/hold")
    def still_here(given: HoldIn, reviewer: Reviewer) -> HeldOut:
        return HeldOut(held=hold(ledger, reviewer, given.clip_ids, settings))

    @api.post("/let-go")
    def leave(reviewer: Reviewer) -> HeldOut:
        let_go(ledger, reviewer)
        return HeldOut(held=[])

    @api.get("/clips/{clip_id}/curves")
    def curves(clip_id: ClipId) -> dict[str, Any]:
        found = media.curves(clip_id)
        if found is None:
            raise UnknownClip(f"there are no curves of {clip_id}", remedy=f"`clapboard explain {clip_id}` says why")
        return found

    @api.get("/labels")
    def labels() -> list[str]:
        with ledger.session() as session:
            known = session.scalars(select(SourceEntry.label).where(SourceEntry.label != "").distinct())
            given = session.scalars(select(VerdictRow.label).where(VerdictRow.label.is_not(None)).distinct())
            return sorted({*known, *(label for label in given if label)})

    @api.get("/progress")
    def how_far() -> ProgressOut:
        return queue.state()

    return api


def _answer(given: AnswerIn, reviewer: str) -> Answer:
    return Answer(
        clip_id=given.clip_id,
        verdict=given.verdict,
        reviewer=reviewer,
        reason=given.reason,
        key=str(given.key),
        edits=Edits(
            label=given.label,
            caption=given.caption,
            parts=None if given.parts is None else tuple(given.parts),
            sound_late_us=given.sound_late_us,
        ),
        seconds=given.seconds,
        page=given.page,
    )


def _clip(item: Item) -> ClipOut:
    link = words.web_link(item.link)
    return ClipOut(
        clip_id=item.clip_id,
        caption=item.caption,
        label=item.label,
        licence=item.licence,
        title=item.title,
        uploader=item.uploader,
        link=link,
        source=link or item.link,
        span=words.span(item.start_us, item.end_us),
        start_us=item.start_us,
        end_us=item.end_us,
        sound_late_us=item.sound_late_us,
        why=[words.why(reason) for reason in item.reasons],
        timing=words.timing(item.scores),
        p_good=item.p_good,
        measures=[MeasureOut(name=one.name, value=one.value) for one in words.measures(item.scores)],
        disputed=item.state is State.DISPUTED,
    )


class _Queue:
    """The queue's state; of a long queue it is read once a second at most, since all reviewers ask all the time."""

    def __init__(self, ledger: Ledger, settings: ReviewSettings, on_enough: Callable[[Progress], object]) -> None:
        self._ledger, self._settings, self._on_enough = ledger, settings, on_enough
        self._lock = Lock()
        self._read: tuple[float, ProgressOut] | None = None
        self._told: Enough | None = None

    def state(self) -> ProgressOut:
        """As it is, or was a moment ago."""
        with self._lock:
            if self._read is not None:
                at, known = self._read
                long = known.waiting + known.accepted + known.rejected >= LONG_QUEUE
                if long and time.monotonic() - at < STALE_S:
                    return known
            found = progress(self._ledger, self._settings)
            self._tell(found)
            now = progress_out(found)
            self._read = time.monotonic(), now
            return now

    def _tell(self, found: Progress) -> None:
        if found.enough is not None and found.enough is not self._told:
            self._on_enough(found)
        self._told = found.enough


def progress_out(found: Progress) -> ProgressOut:
    """A queue's state for the page."""
    audited = found.precision
    return ProgressOut(
        waiting=found.waiting,
        disputed=found.disputed,
        accepted=found.accepted,
        rejected=found.rejected,
        classes=[
            ClassOut(label=one.label, accepted=one.accepted, waiting=one.waiting, target=one.target)
            for one in found.classes
        ],
        precision=words.share_between(audited.value, audited.low, audited.high),
        enough=words.ENOUGH[found.enough] if found.enough else "",
        saved=found.saved,
    )


def _last_edits(ledger: Ledger, reviewer: str, clip_id: str) -> EditsOut:
    """What the reviewer had changed in the answer that was just taken back."""
    newest = (
        select(VerdictRow)
        .where(VerdictRow.clip_id == clip_id, VerdictRow.reviewer == reviewer, VerdictRow.verdict != Verdict.UNDO)
        .order_by(VerdictRow.id.desc())
        .limit(1)
    )
    with ledger.session() as session:
        row = session.scalars(newest).first()
        if row is None:
            return EditsOut()
        return EditsOut(label=row.label, caption=row.caption, parts=row.parts, sound_late_us=row.sound_late_us)
