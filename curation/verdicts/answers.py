"""People's answers: what they may say, and which of several answers on a clip counts.

Answers are rows that nobody changes; undoing one is another row. What counts follows from the rows alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from shards.errors import BadInput
from shards.words import printable


class Verdict(StrEnum):
    """A person's answer."""

    ACCEPT = "accept"
    REJECT = "reject"
    SKIP = "skip"
    UNDO = "undo"


DECIDING = frozenset({Verdict.ACCEPT, Verdict.REJECT})


class RejectReason(StrEnum):
    """Why a person rejects: the predecessor's three criteria [pred] and what reviewers meet besides."""

    CAMERA_MOTION = "camera_motion"
    NOT_SYNCHRONISED = "not_synchronised"
    MEANING = "meaning"
    OFF_SCREEN_SOUND = "off_screen_sound"
    WRONG_CLASS = "wrong_class"
    BAD_QUALITY = "bad_quality"
    OFFENSIVE = "offensive"
    PERSONAL = "personal"


class Role(StrEnum):
    """What an answer is for."""

    ANSWER = "answer"
    ADJUDICATION = "adjudication"
    """Given when two reviewers had disagreed; it decides."""

    FINAL = "final"
    """Given by name on the terminal or imported; it decides."""

    GOLDEN = "golden"
    """On a clip whose answer is known: it says something about the reviewer, nothing about the clip."""


class State(StrEnum):
    """Where a clip stands in the queue."""

    WAITING = "waiting"
    DISPUTED = "disputed"
    DONE = "done"
    GONE = "gone"


OPEN = (State.WAITING, State.DISPUTED)
"""States in which a clip needs an answer."""


class UnknownClip(BadInput):
    """A clip was asked for that the ledger does not hold, or that nobody is to review."""


class NotYours(BadInput):
    """An answer came after its clip had gone to somebody else: one more opinion would make a dispute of nothing."""

    kind = "not_yours"


@dataclass(frozen=True, slots=True)
class Edits:
    """What a reviewer changed about a clip; None is left as it was.

    Attributes:
        label, caption: other words.
        parts: spans of the source in microseconds, in order, apart from each other, within the clip.
        sound_late_us: how late the sound is in the source, which the cut shall mend.
    """

    label: str | None = None
    caption: str | None = None
    parts: tuple[tuple[int, int], ...] | None = None
    sound_late_us: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of one reviewer, as it is sent. `key` makes it count once however often it is sent."""

    clip_id: str
    verdict: Verdict
    reviewer: str
    reason: RejectReason | None = None
    key: str | None = None
    edits: Edits = field(default_factory=Edits)
    seconds: float | None = None
    page: str = ""
    final: bool = False

    def in_print(self) -> "Answer":
        """The same without what steers a terminal: names, classes and captions are shown and exported."""
        label, caption = self.edits.label, self.edits.caption
        label = None if label is None else printable(label)
        caption = None if caption is None else printable(caption, lines=True)
        edits = replace(self.edits, label=label, caption=caption)
        return replace(self, reviewer=printable(self.reviewer), page=printable(self.page), edits=edits)


@dataclass(frozen=True, slots=True)
class Given:
    """As much of an answer as decides whether it counts; `id` grows with time."""

    id: int
    reviewer: str
    verdict: Verdict
    role: Role
    undoes: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What a clip's answers come to: `counts` is the id of the one that counts, `answers` how many decide."""

    state: State
    counts: int | None
    answers: int


def standing(given: Sequence[Given], *, wanted: int = 1) -> Standing:
    """What the answers on one clip come to, in whatever order they are given.

    An adjudication or a final word decides, the newest of them. Else each reviewer's newest answer is heard: if all
    agree the newest counts, and with `wanted` of them the clip is done; if they do not, none counts until someone
    decides between them.
    """
    active = still_said(given)
    deciding = [one for one in active if one.verdict in DECIDING and one.role is not Role.GOLDEN]
    last_words = [one for one in deciding if one.role in (Role.ADJUDICATION, Role.FINAL)]
    if last_words:
        return Standing(State.DONE, last_words[-1].id, len(deciding))
    newest = {one.reviewer: one for one in deciding}
    if not newest:
        return Standing(State.WAITING, None, 0)
    if len({one.verdict for one in newest.values()}) > 1:
        return Standing(State.DISPUTED, None, len(newest))
    state = State.DONE if len(newest) >= wanted else State.WAITING
    return Standing(state, max(one.id for one in newest.values()), len(newest))


def still_said(given: Sequence[Given]) -> list[Given]:
    """The answers that were not undone, oldest first."""
    undone = {one.undoes for one in given if one.verdict is Verdict.UNDO}
    return sorted(
        (one for one in given if one.verdict is not Verdict.UNDO and one.id not in undone), key=lambda one: one.id
    )
