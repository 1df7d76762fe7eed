"""The ways in which each filmed clip is made wrong, as files that are made once and kept in a folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.natural.corpus import IN_SYNC, Filmed, Truth, donor
from bench.natural.remake import frozen, laid_over
from bench.natural.remux import remux, suffix

TWINS_VERSION = 1
"""Goes up whenever the same clip gives another twin: those of before are then made anew."""

RIGHT, SWAPPED, NARRATED, MUSIC, FROZEN = "right", "swapped", "narrated", "music", "frozen"
SHIFTS_S = {
    f"{word} {abs(size):g} s": size for size in (0.3, 0.5, 1.0) for word, size in (("late", size), ("early", -size))
}
KINDS = (*SHIFTS_S, SWAPPED, NARRATED, MUSIC, FROZEN)
LENDERS = {SWAPPED: IN_SYNC, NARRATED: (Truth.SPEECH,), MUSIC: (Truth.MUSIC_OVER,)}
"""Whose sound such a twin borrows. A swapped one gets a sound that has events: the kind that may fit by chance."""


@dataclass(frozen=True, slots=True)
class Twin:
    """A clip made wrong: how, by how much its sound is late, and which clip's sound it got."""

    kind: str
    clip: Filmed
    lender: Filmed | None = None

    @property
    def late_s(self) -> float:
        """How late its sound is; 0 where that is not what is wrong with it."""
        return SHIFTS_S.get(self.kind, 0.0)

    @property
    def file_name(self) -> str:
        """Its file's name, the same every time."""
        lent = f"-{self.lender.path.stem}" if self.lender else ""
        return f"{self.clip.path.stem}-{self.kind.replace(' ', '_')}{lent}{suffix(self.clip.path)}"


def twins_of(clip: Filmed, corpus: Sequence[Filmed]) -> list[Twin]:
    """All twins of a clip; `corpus` is where sounds are borrowed."""
    return [
        Twin(kind, clip, donor(clip, corpus, part=kind, truths=LENDERS[kind]) if kind in LENDERS else None)
        for kind in KINDS
    ]


def made(twin: Twin, folder: Path) -> Path:
    """The twin's file in `folder`, made if it is not there.

    Raises:
        MediaFailure: the clip, or whose sound it gets, cannot be decoded.
    """
    out = folder / f"v{TWINS_VERSION}" / twin.file_name
    if out.is_file():
        return out
    out.parent.mkdir(parents=True, exist_ok=True)
    own, lent = twin.clip.path, twin.lender.path if twin.lender else twin.clip.path
    if twin.kind == FROZEN:
        frozen(own, out)
    elif twin.kind in (NARRATED, MUSIC):
        laid_over(own, lent, out)
    else:
        remux(own, lent, out, late_us=round(twin.late_s * 1e6))
    return out
