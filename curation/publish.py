"""From decided clips to a snapshot: hand what was accepted and cut to the ground floor to publish.

`auto` holds what the policy accepted; `curated` what people accepted, trimmed, moved and named as they left it. The
automatic set is the policy's alone: verdicts neither widen nor narrow it, so it stays what stage one claims. Duplicates
are in neither.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version as installed_version
from typing import Any

from sqlalchemy import Select, false, func, select
from sqlalchemy.orm import Session

from curation.clips import clip_id
from curation.cutting import Span, cut_files, cut_spans
from curation.decide.policy import Band
from curation.decide.verdicts import in_force
from curation.home import Home
from curation.ledger.open import Ledger
from curation.ledger.tables import ClipRow, ReviewRow, ScoreRow, SnapshotRow, SourceEntry, VerdictRow, Video, WindowRow
from curation.media.sandbox import MediaWorkers
from curation.recipe import Recipe
from curation.review.verdicts import Verdict
from shards.errors import BadInput
from shards.publishing import Published, publish
from shards.schema import Blob, ClipRecord, Sample


class Selection(StrEnum):
    """Which clips a snapshot takes; also its usual name."""

    AUTO = "auto"
    CURATED = "curated"


class NothingToPublish(BadInput):
    """No clip is in the selection."""


def clips_to_publish(ledger: Ledger, selection: Selection) -> list[str]:
    """Ids of the clips of a selection, in order."""
    with ledger.session() as session:
        return list(session.scalars(_selected(selection).with_only_columns(ClipRow.id)))


def publish_selection(
    ledger: Ledger,
    selection: Selection,
    *,
    home: Home,
    recipe: Recipe,
    workers: MediaWorkers,
    progress: Callable[[int, int], None] | None = None,
) -> Published:
    """Cut what is missing and publish the selection's clips.

    Raises:
        NothingToPublish: the selection is empty.
    """
    with ledger.session() as session:
        spans = [pick.span for pick in _picks(session, selection)]
    cut_spans(ledger, spans, home=home, settings=recipe.cut, workers=workers, progress=progress)
    # The snapshot tells of the policy that decided, which a calibration may have fitted.
    recipe = recipe.model_copy(update={"policy": in_force(ledger, recipe.policy)})
    with ledger.session() as session:
        samples = list(_samples(session, selection, home, recipe))
    if not samples:
        raise NothingToPublish(
            f"no clip was accepted, so there is no snapshot {selection.value!r}", remedy="see the funnel for reasons"
        )
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


@dataclass(frozen=True, slots=True)
class _Pick:
    """A clip of a selection, or the part of it that a reviewer left, with what is to be cut."""

    clip: ClipRow
    verdict: VerdictRow | None
    entry: SourceEntry
    video: Video
    start_us: int
    end_us: int
    span: Span

    @property
    def key(self) -> str:
        return clip_id(self.clip.video_id, self.start_us, self.end_us)


def _selected(selection: Selection) -> Select[tuple[ClipRow, VerdictRow]]:
    """The clips of a selection with the verdict that counts, in order of id."""
    rows = (
        select(ClipRow, VerdictRow)
        .select_from(ClipRow)
        .where(ClipRow.current, ClipRow.duplicate_of.is_(None))
        .order_by(ClipRow.id)
    )
    if selection is Selection.CURATED:
        rows = rows.join(ReviewRow, ReviewRow.clip_id == ClipRow.id)
        return rows.join(VerdictRow, VerdictRow.id == ReviewRow.verdict_id).where(VerdictRow.verdict == Verdict.ACCEPT)
    # What people said is the curated set's; the automatic one is as if nobody had looked.
    return rows.outerjoin(VerdictRow, false()).where(ClipRow.band == Band.ACCEPT)


def _picks(session: Session, selection: Selection) -> Iterator[_Pick]:
    rows = _selected(selection).add_columns(SourceEntry, Video)
    rows = rows.join(SourceEntry, SourceEntry.id == ClipRow.source_id).join(Video, Video.id == ClipRow.video_id)
    for clip, verdict, entry, video in session.execute(rows).tuples():
        whole = (clip.start_us, clip.end_us)
        late_us = clip.sound_late_us
        if verdict is not None and verdict.sound_late_us is not None:
            late_us = verdict.sound_late_us
        for start_us, end_us in (verdict.parts if verdict is not None else None) or [whole]:
            part = None if (start_us, end_us) == whole else (start_us, end_us)
            yield _Pick(clip, verdict, entry, video, start_us, end_us, Span(clip.id, late_us, part))


def _samples(session: Session, selection: Selection, home: Home, recipe: Recipe) -> Iterator[Sample]:
    versions = _score_versions(session, selection)
    # Parts have ids of their own, which lie elsewhere in the order.
    for pick in sorted(_picks(session, selection), key=lambda one: one.key):
        files = cut_files(home, pick.span, recipe.cut)
        if not files.there:
            continue
        clip, verdict, entry, facts = pick.clip, pick.verdict, pick.entry, files.facts()
        record = ClipRecord(
            key=pick.key,
            video_id=clip.video_id,
            link=pick.video.link,
            video_sha256=pick.video.sha256 or "",
            licence=entry.licence,
            start_us=pick.start_us,
            end_us=pick.end_us,
            caption=(verdict.caption if verdict else None) or entry.caption,
            label=(verdict.label if verdict else None) or entry.label,
            band=clip.band,
            reasons=tuple(clip.reasons),
            p_good=clip.p_good,
            verdict=_facts(verdict) if verdict else None,
            scores=clip.scores,
            lineage={
                "policy": clip.policy,
                "scores": versions[clip.video_id],
                "code_version": installed_version("clapboard"),
            }
            | _correction(pick)
            | ({"part_of": clip.id} if pick.span.part_us else {}),
            frames=facts.frames,
            width_px=facts.width_px,
            height_px=facts.height_px,
            rate_hz=facts.rate_hz,
        )
        yield Sample(
            record,
            Blob.at(files.mp4, size=facts.mp4_bytes, sha256=facts.mp4_sha256),
            Blob.at(files.flac, size=facts.flac_bytes, sha256=facts.flac_sha256),
        )


def _correction(pick: _Pick) -> dict[str, Any]:
    """How far the cut moved the sound and who said so, and the synchrony before and after; nothing where it did not."""
    late_us = pick.span.sound_late_us
    if not late_us:
        return {}
    if late_us != pick.clip.sound_late_us:
        return {"sound_moved": {"late_us": late_us, "by": "reviewer"}}
    before, after = (pick.clip.scores.get(name) for name in ("sync_before", "sync_at_zero"))
    return {"sound_moved": {"late_us": late_us, "by": "policy", "sync_before": before, "sync_after": after}}


def _facts(verdict: VerdictRow) -> dict[str, str]:
    return {"verdict": verdict.verdict, "reviewer": verdict.reviewer, "reason": verdict.reason}


def _score_versions(session: Session, selection: Selection) -> dict[str, dict[str, int]]:
    """Which version of each score measured a video, by video id."""
    videos = _selected(selection).with_only_columns(ClipRow.video_id).order_by(None).distinct()
    rows = (
        select(WindowRow.video_id, ScoreRow.name, func.max(ScoreRow.version))
        .join(ScoreRow, ScoreRow.window_id == WindowRow.id)
        .where(WindowRow.video_id.in_(videos))
        .group_by(WindowRow.video_id, ScoreRow.name)
        .order_by(WindowRow.video_id, ScoreRow.name)
    )
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for video_id, name, version in session.execute(rows):
        found[video_id][name] = version
    return found
