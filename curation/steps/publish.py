"""From decided clips to a snapshot: hand what was accepted and cut to the ground floor to publish.

`auto` holds what the policy accepted; `curated` what people accepted, trimmed, moved and named as they left it,
whatever the policy says of it by now. The automatic set is the policy's alone: verdicts neither widen nor narrow it, so
it stays what stage one claims. Duplicates are in neither, nor are rows that are no longer wanted.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from itertools import chain
from typing import Any

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from curation.decide.verdicts import in_force
from curation.home.cutting import Bring, CutFacts, CutFolder, cut_spans
from curation.home.folder import Home
from curation.home.names import published_name
from curation.home.takedown import finish_open, withdraw_late
from curation.ledger.open import Ledger
from curation.ledger.tables import JudgedRow, ScoreRow, SnapshotRow, WindowRow
from curation.media.sandbox import MediaWorkers
from curation.outcomes import Outcome
from curation.scores.words import COLUMNS
from curation.settings.recipe import Recipe
from curation.steps.selecting import (
    Chosen,
    ChosenClips,
    Dropped,
    Pick,
    Selection,
    accepted_and_left_out,
    clips_to_publish,
)
from shards.card import CardNotes
from shards.errors import BadInput
from shards.publishing import publish
from shards.schema import Blob, ClipRecord, Sample
from shards.snapshot import Snapshot, open_snapshot

__all__ = [
    "Dropped",
    "NothingToPublish",
    "Publication",
    "Selection",
    "clips_to_publish",
    "publish_selection",
]


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
class Publication:
    """A snapshot, whether it is new, and what was accepted and yet is not in it."""

    snapshot: Snapshot
    fresh: bool
    dropped: tuple[Dropped, ...]


def publish_selection(
    ledger: Ledger,
    selection: Selection,
    *,
    home: Home,
    recipe: Recipe,
    workers: MediaWorkers,
    bring: Bring | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Publication:
    """Cut what is missing, for which `bring` fetches videos that have left, and publish the selection's clips.

    A page of clips is in memory at a time. What grows is what `shards.publishing.publish` keeps of each clip, some 100
    bytes for each video, and some 300 for each clip that is left out, since the caller is told of those.

    Raises:
        NothingToPublish: the selection is empty, or nothing of it can be cut.
        SnapshotError: the newest version, with which shards would be shared, is not what was published.
    """
    home.make()
    finish_open(ledger, home=home)
    # The snapshot tells of the policy that decided, which a calibration may have fitted.
    recipe = recipe.model_copy(update={"policy": in_force(ledger, recipe.policy)})
    with ChosenClips(ledger, selection, folder=home.root) as chosen:
        dropped = list(accepted_and_left_out(ledger)) if selection is Selection.CURATED else []
        cutting = _Cutting(ledger, chosen, home=home, recipe=recipe, workers=workers, bring=bring, progress=progress)
        samples = cutting.samples()
        first = next(samples, None)
        if first is None:
            raise NothingToPublish(selection, [*dropped, *cutting.dropped])
        published = publish(
            home.snapshots,
            selection.value,
            chain([first], samples),
            recipe=recipe.publishing_settings(),
            clips_per_shard=recipe.publish.clips_per_shard,
            notes=CardNotes(recipe.policy.digest(), COLUMNS),
        )
        snapshot, dropped = published.snapshot, dropped + cutting.dropped
        if gone := withdraw_late(ledger, cutting.videos, home=home):
            late = list(cutting.published_of(gone))
            dropped += late
            if len(late) == cutting.count:
                raise NothingToPublish(selection, dropped)
            snapshot = open_snapshot(home.snapshots, selection.value)
    with ledger.session() as session:
        content, clips = snapshot.manifest["content"], int(snapshot.manifest["counts"]["clips"])
        session.merge(SnapshotRow(id=snapshot.id, content=content, clips=clips))
    return Publication(snapshot, published.fresh, tuple(dropped))


class _Cutting:
    """A selection that is cut, page by page, as its samples are taken.

    Attributes:
        count: samples that were given.
        videos: ids of their videos.
        dropped: what could not be cut.
    """

    def __init__(
        self,
        ledger: Ledger,
        chosen: ChosenClips,
        *,
        home: Home,
        recipe: Recipe,
        workers: MediaWorkers,
        bring: Bring | None,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.count, self.videos, self.dropped = 0, list[str](), list[Dropped]()
        self._ledger, self._chosen, self._home, self._recipe = ledger, chosen, home, recipe
        self._workers, self._bring, self._progress = workers, bring, progress
        self._folder, self._code_version = CutFolder.of(home, recipe.cut), installed_version("clapboard")

    def samples(self) -> Iterator[Sample]:
        """The clips as samples, in the order of their videos."""
        done = 0
        for page in self._chosen.pages():
            outcomes = self._cut(page, done)
            done += len(page)
            cut = list(zip(page, outcomes, strict=True))
            self.dropped += [pick.dropped(outcome) for pick, outcome in cut if outcome is not Outcome.OK]
            with self._ledger.session() as session:
                _note_cuts(session, cut)
                versions = _score_versions(session, {pick.clip.video_id for pick in page})
            for pick in page:
                if sample := self._sample(pick, versions.get(pick.clip.video_id, {})):
                    self.count += 1
                    if pick.clip.video_id not in self.videos[-1:]:
                        self.videos.append(pick.clip.video_id)
                    yield sample

    def published_of(self, video_ids: Collection[str]) -> Iterator[Dropped]:
        """The clips of videos that were taken down after they had been cut."""
        before = {(one.clip_id, one.start_us, one.end_us) for one in self.dropped}
        for pick in self._chosen.picks():
            known = (pick.clip.clip_id, pick.start_us, pick.end_us) in before
            if pick.clip.video_id in video_ids and not known:
                yield pick.dropped(Outcome.TAKEN_DOWN)

    def _cut(self, page: Sequence[Pick], done: int) -> list[Outcome]:
        def show(of_page: int, _: int) -> None:
            if self._progress:
                self._progress(done + of_page, len(self._chosen))

        spans = [pick.span for pick in page]
        return cut_spans(
            self._ledger,
            spans,
            home=self._home,
            settings=self._recipe.cut,
            workers=self._workers,
            bring=self._bring,
            progress=show,
        )

    def _sample(self, pick: Pick, versions: Mapping[str, int]) -> Sample | None:
        """A clip with its record; None where its cut is gone again."""
        files = self._folder.files(pick.span)
        if not files.there:
            return None
        facts, clip = files.facts(), pick.clip
        record = ClipRecord(
            key=pick.key,
            video_id=clip.video_id,
            link=published_name(clip, clip.table),
            video_sha256=clip.video_sha256 or "",
            licence=clip.licence,
            start_us=pick.start_us,
            end_us=pick.end_us,
            caption=clip.new_caption or clip.caption,
            label=clip.new_label or clip.label,
            band=clip.band,
            reasons=tuple(clip.reasons),
            p_good=clip.p_good,
            verdict=_facts(clip) if clip.verdict_id is not None else None,
            scores=json.loads(clip.scores),
            lineage=_lineage(pick, facts, versions, self._code_version),
            frames=facts.frames,
            width_px=facts.width_px,
            height_px=facts.height_px,
            rate_hz=facts.rate_hz,
        )
        return Sample(
            record,
            Blob.at(files.mp4, size=facts.mp4_bytes, sha256=facts.mp4_sha256),
            Blob.at(files.flac, size=facts.flac_bytes, sha256=facts.flac_sha256),
        )


def _note_cuts(session: Session, cut: Sequence[tuple[Pick, Outcome]]) -> None:
    """Note how cutting each judged clip as it was left went: of several parts, what kept the first of them out."""
    worst: dict[int, Outcome] = {}
    before: dict[int, str | None] = {}
    for pick, outcome in cut:
        verdict_id = pick.clip.verdict_id
        if verdict_id is not None and worst.get(verdict_id, Outcome.OK) is Outcome.OK:
            worst[verdict_id], before[verdict_id] = outcome, pick.clip.judged_cut
    news = [{"verdict": key, "outcome": outcome.value} for key, outcome in worst.items() if outcome != before[key]]
    if news:
        noted = update(JudgedRow).where(JudgedRow.verdict_id == bindparam("verdict")).values(cut=bindparam("outcome"))
        session.connection().execute(noted, news)


def _lineage(pick: Pick, facts: CutFacts, versions: Mapping[str, int], code_version: str) -> dict[str, Any]:
    clip = pick.clip
    lineage = {"policy": clip.policy, "scores": versions, "code_version": code_version}
    told: dict[str, Any] = {"part_of": clip.clip_id if pick.span.part_us else ""}
    told |= {name: getattr(facts, name) for name in ("silent_us", "frozen_us", "smeared_us", "wobble_us", "jitter_us")}
    read = ((clip.fetch, clip.fetch_detail), (clip.analysis, clip.analysis_detail))
    told["notes"] = "; ".join(detail for outcome, detail in read if outcome == Outcome.OK and detail)
    return lineage | _correction(pick) | {name: value for name, value in told.items() if value}


def _correction(pick: Pick) -> dict[str, Any]:
    """How far the cut moved the sound and who said so, and the synchrony before and after; nothing where it did not."""
    late_us = pick.span.sound_late_us
    if not late_us:
        return {}
    if late_us != pick.proposed_late_us:
        return {"sound_moved": {"late_us": late_us, "by": "reviewer"}}
    scores = json.loads(pick.clip.scores)
    before, after = (scores.get(name) for name in ("sync_before", "sync_at_zero"))
    return {"sound_moved": {"late_us": late_us, "by": "policy", "sync_before": before, "sync_after": after}}


def _facts(clip: Chosen) -> dict[str, str]:
    return {"verdict": clip.verdict or "", "reviewer": clip.reviewer or "", "reason": clip.reason or ""}


def _score_versions(session: Session, video_ids: Collection[str]) -> dict[str, dict[str, int]]:
    """Which version of each score measured each of some videos, by video id."""
    rows = (
        select(WindowRow.video_id, ScoreRow.name, func.max(ScoreRow.version))
        .join(ScoreRow, ScoreRow.window_id == WindowRow.id)
        .where(WindowRow.video_id.in_(video_ids))
        .group_by(WindowRow.video_id, ScoreRow.name)
        .order_by(WindowRow.video_id, ScoreRow.name)
    )
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for video_id, name, version in session.execute(rows):
        found[video_id][name] = version
    return found
