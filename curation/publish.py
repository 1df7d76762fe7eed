"""From decided clips to a snapshot: cut what was accepted, once, and hand it to the ground floor to publish.

`auto` holds what the policy accepted; `curated` what a person accepted. A cut clip is kept on disk under its id and
the cutter's settings, so a run that was killed goes on where it stopped, to the same bytes.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib.metadata import version as installed_version
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from curation.decide.policy import Band
from curation.home import Home
from curation.ledger.open import Ledger
from curation.ledger.tables import ClipRow, ScoreRow, SnapshotRow, SourceEntry, VerdictRow, Video, WindowRow
from curation.media.cut import cut
from curation.media.failures import MediaFailure
from curation.media.settings import CutSettings
from curation.outcomes import Outcome
from curation.recipe import Recipe
from curation.review.queue import Verdict, latest_verdicts
from shards.files import write_atomic
from shards.schema import ClipRecord, Sample
from shards.snapshot import Published, publish


class Selection(StrEnum):
    """Which clips a snapshot takes; also its usual name."""

    AUTO = "auto"
    CURATED = "curated"


@dataclass(frozen=True, slots=True)
class CutFacts:
    """What the cutter reported about a clip, kept beside its files."""

    frames: int
    width_px: int
    height_px: int
    rate_hz: int


def clips_to_publish(ledger: Ledger, selection: Selection) -> list[str]:
    """Ids of the clips of a selection, in order."""
    with ledger.session() as session:
        return [clip.id for clip in _select(session, selection)]


def cut_clip(ledger: Ledger, clip_id: str, *, home: Home, settings: CutSettings) -> Outcome:
    """Cut one clip into the home's cut folder unless it is there, and record how that went."""
    with ledger.session() as session:
        clip = session.get_one(ClipRow, clip_id)
        video = session.get_one(Video, clip.video_id)
        start_us, end_us, source = clip.start_us, clip.end_us, Path(video.path or "")
    outcome = Outcome.OK
    if not _facts_path(home, clip_id, settings).is_file():
        try:
            _cut_to_disk(source, start_us, end_us, settings, _stem(home, clip_id, settings))
        except MediaFailure as failure:
            outcome = failure.outcome
    with ledger.session() as session:
        session.get_one(ClipRow, clip_id).cut = outcome
    return outcome


def publish_selection(
    ledger: Ledger,
    selection: Selection,
    *,
    home: Home,
    recipe: Recipe,
    progress: Callable[[int, int], None] | None = None,
) -> Published:
    """Cut what is missing and publish the selection's clips.

    Raises:
        BadInput: the selection is empty.
    """
    ids = clips_to_publish(ledger, selection)
    for done, clip_id in enumerate(ids):
        cut_clip(ledger, clip_id, home=home, settings=recipe.cut)
        if progress:
            progress(done + 1, len(ids))
    samples = _samples(ledger, selection, home=home, settings=recipe.cut)
    published = publish(
        home.snapshots,
        selection.value,
        samples,
        recipe=recipe.publishing_settings(),
        clips_per_shard=recipe.publish.clips_per_shard,
    )
    with ledger.session() as session:
        content = published.snapshot.manifest["content"]
        session.merge(SnapshotRow(id=published.snapshot.id, content=content, clips=len(samples)))
    return published


def cut_media(home: Home, clip_id: str, settings: CutSettings) -> Path | None:
    """The cut mp4 of a clip, if it was cut."""
    path = _stem(home, clip_id, settings).with_suffix(".mp4")
    return path if path.is_file() else None


def _select(session: Session, selection: Selection) -> list[ClipRow]:
    current = session.scalars(select(ClipRow).where(ClipRow.current).order_by(ClipRow.id)).all()
    verdicts = latest_verdicts(session)
    answers = {clip_id: Verdict(row.verdict) for clip_id, row in verdicts.items()}
    if selection is Selection.CURATED:
        return [clip for clip in current if answers.get(clip.id) is Verdict.ACCEPT]
    # The automatic set is the policy's alone: verdicts neither widen nor narrow it, so it stays what stage one claims.
    return [clip for clip in current if clip.band == Band.ACCEPT]


def _samples(ledger: Ledger, selection: Selection, *, home: Home, settings: CutSettings) -> list[Sample]:
    with ledger.session() as session:
        verdicts = latest_verdicts(session) if selection is Selection.CURATED else {}
        clips = [clip for clip in _select(session, selection) if clip.cut == Outcome.OK]
        return [_sample(session, clip, verdicts.get(clip.id), home, settings) for clip in clips]


def _sample(session: Session, clip: ClipRow, verdict: VerdictRow | None, home: Home, settings: CutSettings) -> Sample:
    entry = session.get_one(SourceEntry, clip.source_id)
    video = session.get_one(Video, clip.video_id)
    facts = CutFacts(**json.loads(_facts_path(home, clip.id, settings).read_text()))
    stem = _stem(home, clip.id, settings)
    record = ClipRecord(
        key=clip.id,
        video_id=clip.video_id,
        link=video.link,
        video_sha256=video.sha256 or "",
        licence=entry.licence,
        start_us=clip.start_us,
        end_us=clip.end_us,
        caption=entry.caption,
        label=entry.label,
        band=clip.band,
        reasons=tuple(clip.reasons),
        p_good=clip.p_good,
        verdict=_verdict_facts(verdict),
        scores=clip.scores,
        lineage={
            "policy": clip.policy,
            "scores": _score_versions(session, clip),
            "code_version": installed_version("clapboard"),
        },
        **asdict(facts),
    )
    return Sample(record, stem.with_suffix(".mp4").read_bytes(), stem.with_suffix(".flac").read_bytes())


def _verdict_facts(verdict: VerdictRow | None) -> dict[str, str] | None:
    if verdict is None:
        return None
    return {"verdict": verdict.verdict, "reviewer": verdict.reviewer, "reason": verdict.reason}


def _score_versions(session: Session, clip: ClipRow) -> dict[str, int]:
    rows = (
        select(ScoreRow.name, ScoreRow.version)
        .join(WindowRow, WindowRow.id == ScoreRow.window_id)
        .where(WindowRow.video_id == clip.video_id)
        .order_by(ScoreRow.version)
    )
    return dict(session.execute(rows).tuples().all())


def _cut_to_disk(source: Path, start_us: int, end_us: int, settings: CutSettings, stem: Path) -> None:
    made = cut(source, start_us=start_us, end_us=end_us, settings=settings)
    write_atomic(stem.with_suffix(".mp4"), made.mp4)
    write_atomic(stem.with_suffix(".flac"), made.flac)
    # The facts come last: a clip without them counts as not cut.
    facts = CutFacts(made.frames, made.width_px, made.height_px, made.rate_hz)
    write_atomic(stem.with_suffix(".json"), json.dumps(asdict(facts)).encode())


def _stem(home: Home, clip_id: str, settings: CutSettings) -> Path:
    return home.cuts / settings.digest() / clip_id


def _facts_path(home: Home, clip_id: str, settings: CutSettings) -> Path:
    return _stem(home, clip_id, settings).with_suffix(".json")
