"""From decided clips to a snapshot: hand what was accepted and cut to the ground floor to publish.

`auto` holds what the policy accepted; `curated` what people accepted, trimmed, moved and named as they left it,
whatever the policy says of it by now. The automatic set is the policy's alone: verdicts neither widen nor narrow it, so
it stays what stage one claims. Duplicates are in neither, nor are rows that are no longer wanted.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version as installed_version
from typing import Any

from sqlalchemy import Select, false, func, select, update
from sqlalchemy.orm import Session

from curation.clips import clip_id
from curation.decide.policy import Band
from curation.decide.verdicts import in_force
from curation.home.cutting import CutFacts, Span, cut_files, cut_spans
from curation.home.folder import Home
from curation.home.names import published_name
from curation.home.takedown import finish_open, withdraw_late
from curation.ledger.open import Ledger
from curation.ledger.tables import ClipRow, JudgedRow, ScoreRow, SnapshotRow, SourceEntry, VerdictRow, Video, WindowRow
from curation.media.sandbox import MediaWorkers
from curation.outcomes import Outcome
from curation.scores.words import COLUMNS
from curation.settings.recipe import Recipe
from curation.verdicts.judged import accepted, keep_as_judged, left_out
from shards.card import CardNotes
from shards.errors import BadInput
from shards.publishing import publish
from shards.schema import Blob, ClipRecord, Sample
from shards.snapshot import Snapshot, open_snapshot


class Selection(StrEnum):
    """Which clips a snapshot takes; also its usual name."""

    AUTO = "auto"
    CURATED = "curated"


class NothingToPublish(BadInput):
    """No clip is in the selection, or none of it could be cut; `dropped` says why of each."""

    def __init__(self, selection: Selection, dropped: Sequence["Dropped"]) -> None:
        reasons = ", ".join(f"{count} {outcome}" for outcome, count in Counter(one.outcome for one in dropped).items())
        curated = selection is Selection.CURATED
        nobody = "no clip was accepted by people yet" if curated else "no clip was accepted"
        why = f"every clip that was accepted had to be left out ({reasons})" if dropped else nobody
        where = (
            "`clapboard review serve` opens the page to accept clips on" if curated else "`clapboard funnel` says why"
        )
        remedy = dropped[0].outcome.remedy if dropped else where
        super().__init__(f"{why}, so there is no snapshot {selection.value!r}", remedy=remedy)
        self.dropped = tuple(dropped)


@dataclass(frozen=True, slots=True)
class Dropped:
    """A clip of a selection, or a part that a reviewer left of one, that is not in the snapshot, and why."""

    clip_id: str
    link: str
    start_us: int
    end_us: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Publication:
    """A snapshot, whether it is new, and what was accepted and yet is not in it."""

    snapshot: Snapshot
    fresh: bool
    dropped: tuple[Dropped, ...]


def clips_to_publish(ledger: Ledger, selection: Selection) -> list[str]:
    """Ids of the clips of a selection, in order."""
    with ledger.session() as session:
        return list(session.scalars(_selected(selection, ClipRow.id)))


def publish_selection(
    ledger: Ledger,
    selection: Selection,
    *,
    home: Home,
    recipe: Recipe,
    workers: MediaWorkers,
    progress: Callable[[int, int], None] | None = None,
) -> Publication:
    """Cut what is missing and publish the selection's clips.

    Raises:
        NothingToPublish: the selection is empty, or nothing of it can be cut.
        SnapshotError: the newest version, with which shards would be shared, is not what was published.
    """
    finish_open(ledger, home=home)
    picks, dropped = _chosen(ledger, selection)
    spans = [pick.span for pick in picks]
    outcomes = cut_spans(ledger, spans, home=home, settings=recipe.cut, workers=workers, progress=progress)
    cut = list(zip(picks, outcomes, strict=True))
    dropped += [pick.dropped(outcome) for pick, outcome in cut if outcome is not Outcome.OK]
    # The snapshot tells of the policy that decided, which a calibration may have fitted.
    recipe = recipe.model_copy(update={"policy": in_force(ledger, recipe.policy)})
    with ledger.session() as session:
        _note_cuts(session, cut)
        versions = _score_versions(session, selection)
    samples = list(_samples(picks, versions, home, recipe))
    if not samples:
        raise NothingToPublish(selection, dropped)
    published = publish(
        home.snapshots,
        selection.value,
        samples,
        recipe=recipe.publishing_settings(),
        clips_per_shard=recipe.publish.clips_per_shard,
        notes=CardNotes(recipe.policy.digest(), COLUMNS),
    )
    snapshot = published.snapshot
    if gone := withdraw_late(ledger, {one.record.video_id for one in samples}, home=home):
        late = [pick for pick, outcome in cut if outcome is Outcome.OK and pick.clip.video_id in gone]
        dropped += [pick.dropped(Outcome.TAKEN_DOWN) for pick in late]
        if len(late) == len(samples):
            raise NothingToPublish(selection, dropped)
        snapshot = open_snapshot(home.snapshots, selection.value)
    with ledger.session() as session:
        content, clips = snapshot.manifest["content"], int(snapshot.manifest["counts"]["clips"])
        session.merge(SnapshotRow(id=snapshot.id, content=content, clips=clips))
    return Publication(snapshot, published.fresh, tuple(dropped))


@dataclass(frozen=True, slots=True)
class _Pick:
    """A clip of a selection, or the part of it that a reviewer left, with what is to be cut.

    `proposed_late_us` is how far its sound was moved by the policy: in a clip that people judged, when they did.
    """

    clip: ClipRow
    verdict: VerdictRow | None
    entry: SourceEntry
    video: Video
    start_us: int
    end_us: int
    span: Span
    proposed_late_us: int

    @property
    def key(self) -> str:
        return clip_id(self.clip.video_id, self.start_us, self.end_us)

    def dropped(self, outcome: Outcome) -> Dropped:
        return Dropped(self.clip.id, self.video.link, self.start_us, self.end_us, outcome)


def _chosen(ledger: Ledger, selection: Selection) -> tuple[list[_Pick], list[Dropped]]:
    """What is to be cut, and what people accepted that is not."""
    with ledger.session() as session:
        keep_as_judged(session)
        picks = list(_picks(session, selection))
        dropped = list(_left_out(session)) if selection is Selection.CURATED else []
        session.expunge_all()
    return picks, dropped


def _selected(selection: Selection, *columns: Any) -> Select[Any]:
    """The clips of a selection, in order of id; of the curated one with the verdict that counts."""
    if selection is Selection.CURATED:
        return accepted(*columns).where(left_out().is_(None)).order_by(ClipRow.id)
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
        .order_by(ClipRow.id)
    )


def _picks(session: Session, selection: Selection) -> Iterator[_Pick]:
    rows = session.execute(_selected(selection, ClipRow, VerdictRow, SourceEntry, Video, JudgedRow))
    for clip, verdict, entry, video, judged in rows.tuples():
        whole = (clip.start_us, clip.end_us)
        proposed_late_us = late_us = clip.sound_late_us if judged is None else judged.sound_late_us
        if verdict is not None and verdict.sound_late_us is not None:
            late_us = verdict.sound_late_us
        for start_us, end_us in (verdict.parts if verdict is not None else None) or [whole]:
            part = None if (start_us, end_us) == whole else (start_us, end_us)
            span = Span(clip.id, late_us, part)
            yield _Pick(clip, verdict, entry, video, start_us, end_us, span, proposed_late_us)


def _left_out(session: Session) -> Iterator[Dropped]:
    """Clips that people accepted and that are not cut at all."""
    why = left_out()
    rows = accepted(ClipRow.id, Video.link, ClipRow.start_us, ClipRow.end_us, why).where(why.is_not(None))
    for clip, link, start_us, end_us, outcome in session.execute(rows.order_by(ClipRow.id)).tuples():
        yield Dropped(clip, link, start_us, end_us, Outcome(outcome))


def _note_cuts(session: Session, cut: Iterable[tuple[_Pick, Outcome]]) -> None:
    """Note how cutting each judged clip as it was left went: of several parts, what kept the first of them out."""
    worst: dict[int, Outcome] = {}
    for pick, outcome in cut:
        if pick.verdict is not None and worst.get(pick.verdict.id, Outcome.OK) is Outcome.OK:
            worst[pick.verdict.id] = outcome
    if worst:
        session.execute(update(JudgedRow), [{"verdict_id": key, "cut": outcome} for key, outcome in worst.items()])


def _samples(
    picks: Iterable[_Pick], versions: Mapping[str, dict[str, int]], home: Home, recipe: Recipe
) -> Iterator[Sample]:
    # Parts have ids of their own, which lie elsewhere in the order.
    for pick in sorted(picks, key=lambda one: one.key):
        files = cut_files(home, pick.span, recipe.cut)
        if not files.there:
            continue
        clip, verdict, entry, facts = pick.clip, pick.verdict, pick.entry, files.facts()
        record = ClipRecord(
            key=pick.key,
            video_id=clip.video_id,
            link=published_name(pick.video, entry.table_name),
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
            lineage=_lineage(pick, facts, versions.get(clip.video_id, {})),
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


def _lineage(pick: _Pick, facts: CutFacts, versions: Mapping[str, int]) -> dict[str, Any]:
    lineage = {"policy": pick.clip.policy, "scores": versions, "code_version": installed_version("clapboard")}
    told: dict[str, Any] = {"part_of": pick.clip.id if pick.span.part_us else ""}
    told |= {name: getattr(facts, name) for name in ("silent_us", "frozen_us", "smeared_us", "wobble_us", "jitter_us")}
    read = ((pick.video.fetch, pick.video.fetch_detail), (pick.video.analysis, pick.video.analysis_detail))
    told["notes"] = "; ".join(detail for outcome, detail in read if outcome == Outcome.OK and detail)
    return lineage | _correction(pick) | {name: value for name, value in told.items() if value}


def _correction(pick: _Pick) -> dict[str, Any]:
    """How far the cut moved the sound and who said so, and the synchrony before and after; nothing where it did not."""
    late_us = pick.span.sound_late_us
    if not late_us:
        return {}
    if late_us != pick.proposed_late_us:
        return {"sound_moved": {"late_us": late_us, "by": "reviewer"}}
    before, after = (pick.clip.scores.get(name) for name in ("sync_before", "sync_at_zero"))
    return {"sound_moved": {"late_us": late_us, "by": "policy", "sync_before": before, "sync_after": after}}


def _facts(verdict: VerdictRow) -> dict[str, str]:
    return {"verdict": verdict.verdict, "reviewer": verdict.reviewer, "reason": verdict.reason}


def _score_versions(session: Session, selection: Selection) -> dict[str, dict[str, int]]:
    """Which version of each score measured a video, by video id."""
    videos = _selected(selection, ClipRow.video_id).order_by(None).distinct()
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
