"""Cut clips on disk: each is cut once per setting of the cutter and kept, so that nothing is encoded twice.

A clip's files lie in the home's cut folder under its id; the facts come last, and a clip without them counts as not
cut, so a run that was killed goes on where it stopped. Of a video that was taken down no cut stays.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import exists, select

from curation.home.folder import Home
from curation.home.shared import borrow, share, shared_files
from curation.home.takedown import TakenDownMeanwhile, is_taken_down, unless_taken_down
from curation.ledger.open import Ledger
from curation.ledger.tables import ClipRow, TakedownRow, Video
from curation.media.cut import CutClip, cut
from curation.media.failures import MediaFailure
from curation.media.sandbox import MediaWorkers
from curation.media.settings import CutSettings
from curation.outcomes import Outcome
from shards.files import write_atomic

ASKED_AT_ONCE = 500
"""Clips in one question to the ledger. [ours]"""

Cutter = Callable[..., CutClip]
"""`curation.media.cut.cut`, or the same done elsewhere, such as in a sandboxed worker."""

Bring = Callable[[str], Outcome]
"""Fetches the file of a video, by id, that is not here (any more); returns how that went."""


@dataclass(frozen=True, slots=True)
class Span:
    """What is cut: a clip, or the part of it that a reviewer left, its sound moved by so much.

    `part_us` is None for the whole clip as the ledger has it.
    """

    clip_id: str
    sound_late_us: int = 0
    part_us: tuple[int, int] | None = None

    @classmethod
    def of(cls, clip: ClipRow) -> "Span":
        """A clip as the policy decided it."""
        return cls(clip.id, clip.sound_late_us)

    @property
    def name(self) -> str:
        """What its files are called; it begins with the clip's id."""
        part = f"-{self.part_us[0]}-{self.part_us[1]}" if self.part_us else ""
        return f"{self.clip_id}{part}-{self.sound_late_us:+d}" if self.sound_late_us else f"{self.clip_id}{part}"


@dataclass(frozen=True, slots=True)
class CutFacts:
    """What the cutter reported about a clip, kept beside its files."""

    frames: int
    width_px: int
    height_px: int
    rate_hz: int
    mp4_bytes: int
    mp4_sha256: str
    flac_bytes: int
    flac_sha256: str
    silent_us: int = 0
    """How much of the sound is silence because the source has none there."""
    frozen_us: int = 0
    smeared_us: int = 0
    wobble_us: int = 0
    jitter_us: int = 0
    """As `curation.media.cut.CutClip` says."""


@dataclass(frozen=True, slots=True)
class CutFiles:
    """Where one clip's cut lies, whether or not it is there yet."""

    stem: Path

    @property
    def mp4(self) -> Path:
        """Picture and sound."""
        return self.stem.with_suffix(".mp4")

    @property
    def flac(self) -> Path:
        """The exact sound."""
        return self.stem.with_suffix(".flac")

    @property
    def there(self) -> bool:
        """Whether the clip was cut, whole."""
        return self._facts.is_file()

    @property
    def _facts(self) -> Path:
        return self.stem.with_suffix(".json")

    @property
    def all(self) -> tuple[Path, ...]:
        """The files, the one that says that the cut is whole last."""
        return self.mp4, self.flac, self._facts

    def facts(self) -> CutFacts:
        """What the cutter reported."""
        return CutFacts(**json.loads(self._facts.read_text(encoding="utf-8")))

    def write(self, made: CutClip) -> None:
        """Put a cut clip on the disk."""
        write_atomic(self.mp4, made.mp4)
        write_atomic(self.flac, made.flac)
        facts = CutFacts(
            frames=made.frames,
            width_px=made.width_px,
            height_px=made.height_px,
            rate_hz=made.rate_hz,
            mp4_bytes=len(made.mp4),
            mp4_sha256=hashlib.sha256(made.mp4).hexdigest(),
            flac_bytes=len(made.flac),
            flac_sha256=hashlib.sha256(made.flac).hexdigest(),
            silent_us=made.silent_us,
            frozen_us=made.frozen_us,
            smeared_us=made.smeared_us,
            wobble_us=made.wobble_us,
            jitter_us=made.jitter_us,
        )
        write_atomic(self._facts, json.dumps(asdict(facts)).encode())

    def remove(self) -> None:
        """Delete the cut; the facts first, so that a half-removed clip counts as not cut."""
        for path in reversed(self.all):
            path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class CutFolder:
    """Where the cuts under one setting of the cutter lie, for whoever looks for many."""

    path: Path

    @classmethod
    def of(cls, home: Home, settings: CutSettings) -> "CutFolder":
        """The folder in a home."""
        return cls(home.cuts / settings.digest())

    def files(self, span: Span) -> CutFiles:
        """The files of one span."""
        return CutFiles(self.path / span.name)


def cut_files(home: Home, span: Span, settings: CutSettings) -> CutFiles:
    """The files of one span under one setting of the cutter."""
    return CutFolder.of(home, settings).files(span)


def cut_spans(
    ledger: Ledger,
    spans: Sequence[Span],
    *,
    home: Home,
    settings: CutSettings,
    workers: MediaWorkers,
    bring: Bring | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Outcome]:
    """Cut those spans that are not cut yet, as many at a time as there are workers; returns how each went, in order.

    Of those that are cut the ledger is asked some hundred at a time. Callers with very many give a page of them.
    """

    def one(span: Span) -> Outcome:
        return cut_span(ledger, span, home=home, settings=settings, cutter=workers.cut, bring=bring)

    outcomes: dict[Span, Outcome] = {}

    def done(span: Span, outcome: Outcome) -> None:
        outcomes[span] = outcome
        if progress:
            progress(len(outcomes), len(spans))

    for span in _already_cut(ledger, spans, folder=CutFolder.of(home, settings)):
        done(span, Outcome.OK)
    left = [span for span in spans if span not in outcomes]
    with ThreadPoolExecutor(workers.count, thread_name_prefix="cut") as threads:
        try:
            for span, outcome in zip(left, threads.map(one, left), strict=True):
                done(span, outcome)
        except BaseException:
            workers.stop()
            threads.shutdown(cancel_futures=True)
            raise
    return [outcomes[span] for span in spans]


def _already_cut(ledger: Ledger, spans: Sequence[Span], *, folder: CutFolder) -> Iterator[Span]:
    """Spans whose cut is there and recorded, of videos that nobody took down: `cut_span` would do nothing."""
    there = [span for span in spans if folder.files(span).there]
    for first in range(0, len(there), ASKED_AT_ONCE):
        some = there[first : first + ASKED_AT_ONCE]
        rows = (
            select(ClipRow.id, ClipRow.sound_late_us, ClipRow.cut)
            .where(ClipRow.id.in_([span.clip_id for span in some]))
            .where(~exists().where(TakedownRow.video_id == ClipRow.video_id))
        )
        with ledger.session() as session:
            known = {clip_id: (Span(clip_id, late_us), cut) for clip_id, late_us, cut in session.execute(rows)}
        for span in some:
            if span.clip_id in known:
                decided, recorded = known[span.clip_id]
                if span != decided or recorded == Outcome.OK:
                    yield span


def cut_span(
    ledger: Ledger, span: Span, *, home: Home, settings: CutSettings, cutter: Cutter = cut, bring: Bring | None = None
) -> Outcome:
    """Cut one span unless it is there; never raises for the video's own fault.

    How the cut of a clip as the policy decided it went is recorded in the ledger. Of a video that is taken down
    meanwhile nothing is recorded or kept. `bring` fetches a video whose file has left.
    """
    files = cut_files(home, span, settings)
    try:
        return _cut_into(files, ledger, span, home=home, settings=settings, cutter=cutter, bring=bring)
    except TakenDownMeanwhile:
        for file in shared_files(home, span.clip_id):
            file.unlink(missing_ok=True)
        files.remove()
        return Outcome.TAKEN_DOWN


def _cut_into(
    files: CutFiles,
    ledger: Ledger,
    span: Span,
    *,
    home: Home,
    settings: CutSettings,
    cutter: Cutter,
    bring: Bring | None,
) -> Outcome:
    """What `cut_span` does.

    Raises:
        TakenDownMeanwhile: the video was taken down before the cut was there and recorded.
    """
    with ledger.session() as session:
        clip = session.get_one(ClipRow, span.clip_id)
        video_id = clip.video_id
        if is_taken_down(session, video_id):
            raise TakenDownMeanwhile(video_id)
        start_us, end_us = span.part_us or (clip.start_us, clip.end_us)
        before, recorded = clip.cut, span == Span.of(clip)
    outcome, there = Outcome.OK, files.there
    if not there and not borrow(home, files.all):
        try:
            source = source_of(ledger, video_id, bring=bring)
            made = cutter(
                source, start_us=start_us, end_us=end_us, sound_offset_us=span.sound_late_us, settings=settings
            )
            files.write(made)
            share(home, files.all)
        except MediaFailure as failure:
            outcome = failure.outcome
    news = recorded and outcome != before
    if news or not there:
        with unless_taken_down(ledger, video_id) as session:
            if news:
                session.get_one(ClipRow, span.clip_id).cut = outcome
    return outcome


def source_of(ledger: Ledger, video_id: str, *, bring: Bring | None) -> Path:
    """The file of a video, fetched again where it has left.

    Raises:
        MediaFailure: it has left, and does not come again.
    """
    if (path := _recorded(ledger, video_id)).is_file() or bring is None:
        return path
    if (outcome := bring(video_id)) is not Outcome.OK:
        raise MediaFailure(outcome, "its file has left this machine and could not be fetched again")
    return _recorded(ledger, video_id)


def _recorded(ledger: Ledger, video_id: str) -> Path:
    with ledger.session() as session:
        return Path(session.get_one(Video, video_id).path or "")
