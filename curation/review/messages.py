"""What the review page and its server say to each other, and how it becomes what the ledger knows."""

import uuid
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from curation.review import words
from curation.review.media import REACH_US
from curation.review.progress import Progress
from curation.review.queue import Item
from curation.review.where import where_of
from curation.verdicts.answers import Answer, Edits, RejectReason, State, Verdict

LONGEST_WORDS = 400
MOST_PARTS = 8
LONGEST_LOOK_S = 3600.0
LARGEST_DESK = 64
"""Clips that a page may have at once: those ahead, and what was taken back."""

ClipId = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[!-~]+$")]
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

    clip_ids: Annotated[list[ClipId], Field(max_length=LARGEST_DESK)]


class MeasureOut(BaseModel):
    """One line of what the scores say."""

    name: str
    value: str


class ProblemOut(BaseModel):
    """A refusal: what is wrong, and what mends it; `kind` is "not_yours" where a clip went to somebody else."""

    error: str
    remedy: str
    kind: str = ""


class EditsOut(BaseModel):
    """What a reviewer had changed."""

    label: str | None = None
    caption: str | None = None
    parts: list[tuple[int, int]] | None = None
    sound_late_us: int | None = None


Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class WhereOut(BaseModel):
    """A square region of the picture: its left upper corner and its side, in shares of its width and height.

    Not `sure`: a guess.
    """

    model_config = ConfigDict(from_attributes=True)

    x: Share
    y: Share
    side: Share
    sure: bool


class ClipOut(BaseModel):
    """A clip as it lies on the desk. `link` is empty unless it is a web address; `source` is what to show; `where` the
    region that moves with the sound, None where no timing was found."""

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
    where: WhereOut | None
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


def answer_of(given: AnswerIn, reviewer: str) -> Answer:
    """An answer as the ledger takes it."""
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


def clip_out(item: Item) -> ClipOut:
    """A clip for the page."""
    link = words.web_link(item.link)
    where = where_of(item.scores)
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
        where=None if where is None else WhereOut.model_validate(where),
        disputed=item.state is State.DISPUTED,
    )


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
