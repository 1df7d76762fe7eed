"""The review page's JSON: what the browser asks for and sends. Everything is about the reviewer who is signed in."""

import time
from collections.abc import Callable
from http import HTTPStatus
from threading import Lock
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy import select

from curation.ledger.open import Ledger
from curation.ledger.tables import SourceEntry, VerdictRow
from curation.review.answers import answer, undo
from curation.review.media import Media
from curation.review.messages import (
    AnsweredOut,
    AnswerIn,
    ClipId,
    EditsOut,
    HeldOut,
    HoldIn,
    NextOut,
    ProblemOut,
    ProgressOut,
    UndoIn,
    UndoneOut,
    answer_of,
    clip_out,
    progress_out,
)
from curation.review.progress import Progress, progress
from curation.review.queue import claim, hold, items, let_go
from curation.settings.review import ReviewSettings
from curation.verdicts.answers import UnknownClip, Verdict

MOST_AT_ONCE = 8
LONG_QUEUE, STALE_S = 2000, 1.0

PROBLEM_STATUSES = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)

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
        return NextOut(clips=[clip_out(item) for item in items(ledger, held)], progress=queue.state())

    @api.post("/answers")
    def take_answer(given: AnswerIn, reviewer: Reviewer) -> AnsweredOut:
        answer(ledger, answer_of(given, reviewer), settings, from_desk=True)
        return AnsweredOut(progress=queue.state())

    @api.post("/undo")
    def take_back(given: UndoIn, reviewer: Reviewer) -> UndoneOut:
        clip_id = undo(ledger, reviewer, settings, key=str(given.key), page=given.page)
        clip = None
        if clip_id is not None:
            clip = clip_out(items(ledger, [clip_id])[0]).model_copy(
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


class _Queue:
    """The queue's state; of a long queue it is read once a second at most, since all reviewers ask all the time."""

    def __init__(self, ledger: Ledger, settings: ReviewSettings, on_enough: Callable[[Progress], object]) -> None:
        self._ledger, self._settings, self._on_enough = ledger, settings, on_enough
        self._lock = Lock()
        self._read: tuple[float, ProgressOut] | None = None
        self._known: bool | None = None

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
        known = found.enough is not None
        if known is not self._known:
            self._on_enough(found)
        self._known = known


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
