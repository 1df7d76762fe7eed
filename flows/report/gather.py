"""Gather a home's facts for the report: clips, scores by band, versions."""

from collections import defaultdict
from collections.abc import Mapping
from importlib.metadata import version as installed_version
from pathlib import Path

from sqlalchemy import Select, and_, func, select
from sqlalchemy.orm import Session

from curation.decide.policy import Band, Policy
from curation.home.cutting import Span, cut_files
from curation.home.folder import Home
from curation.ledger.open import Ledger
from curation.ledger.tables import (
    ClipRow,
    DecisionRow,
    ReviewRow,
    ScoreRow,
    SourceEntry,
    VerdictRow,
    Video,
    WindowRow,
)
from curation.media.settings import CutSettings
from curation.outcomes import Outcome
from curation.review.where import COLUMNS as PLACE_COLUMNS
from curation.verdicts.answers import Verdict
from flows.report.data import ClipCard, Histogram, Threshold

REJECTS_SHOWN = 12
UNITS = {"offset_s": "s"}
PACKAGES = ("clapboard", "prefect", "torch", "diffusers", "av", "yt-dlp", "webdataset", "pyarrow")


def versions() -> dict[str, str]:
    """The versions that decide a run's numbers."""
    return {name: installed_version(name) for name in PACKAGES}


def cards(ledger: Ledger, *, home: Home, settings: CutSettings, most: int | None = None) -> tuple[ClipCard, ...]:
    """A card for every current clip, at most so many of a band, and for one rejected window of each of a few videos."""
    with ledger.session() as session:
        found = []
        for clip, entry, video, verdict in (
            row for band in Band for row in session.execute(_clips(band, most)).tuples()
        ):
            files = cut_files(home, Span.of(clip), settings)
            cut = files.mp4 if files.there else None
            found.append(
                ClipCard(
                    clip_id=clip.id,
                    label=entry.label,
                    caption=entry.caption,
                    band=Band(clip.band),
                    reasons=tuple(map(Outcome, clip.reasons)),
                    verdict=Verdict(verdict) if verdict else None,
                    scores=clip.scores,
                    media=cut or (Path(video.path) if video.path else None),
                    link=video.link,
                    licence=entry.licence,
                    start_us=clip.start_us,
                    end_us=clip.end_us,
                    media_span_us=None if cut else (clip.start_us, clip.end_us),
                )
            )
        return tuple(found) + _rejected(session)


def histograms(ledger: Ledger, policy: Policy, *, most: int | None = None) -> tuple[Histogram, ...]:
    """How each score column of the decided windows is spread over the bands, with the policy's borders.

    With `most`, of about so many windows: ids are digests, so the first of them are a fair sample.
    """
    values: dict[str, dict[Band, list[float]]] = defaultdict(lambda: defaultdict(list))
    rows = select(ScoreRow.columns, DecisionRow.band).join(DecisionRow, DecisionRow.window_id == ScoreRow.window_id)
    if most is not None:
        rows = rows.where(
            DecisionRow.window_id.in_(select(DecisionRow.window_id).order_by(DecisionRow.window_id).limit(most))
        )
    with ledger.session() as session:
        for columns, band in session.execute(rows).tuples():
            for name, value in columns.items():
                # A place in the picture is no grade, and has no good end.
                if value is not None and name not in PLACE_COLUMNS:
                    values[name][Band(band)].append(value)
    return tuple(
        Histogram(
            name=name,
            unit=UNITS.get(name, ""),
            values={band: tuple(by_band[band]) for band in Band},
            thresholds=_borders(policy).get(name, ()),
        )
        for name, by_band in sorted(values.items())
    )


def _borders(policy: Policy) -> Mapping[str, tuple[Threshold, ...]]:
    return {
        "peak_amplitude": (Threshold("silent", policy.min_peak),),
        "local_motion": (Threshold("static", policy.min_local_motion),),
        "camera_motion": (Threshold("shaking", policy.max_camera_motion),),
        "offset_s": (Threshold("early", -policy.max_offset_s), Threshold("late", policy.max_offset_s)),
    }


def _clips(band: Band, most: int | None) -> Select[tuple[ClipRow, SourceEntry, Video, str]]:
    """Clips of a band, with the verdict that counts."""
    return (
        select(ClipRow, SourceEntry, Video, VerdictRow.verdict)
        .join(SourceEntry, SourceEntry.id == ClipRow.source_id)
        .join(Video, Video.id == ClipRow.video_id)
        .outerjoin(ReviewRow, ReviewRow.clip_id == ClipRow.id)
        .outerjoin(VerdictRow, VerdictRow.id == ReviewRow.verdict_id)
        .where(ClipRow.current, ClipRow.band == band)
        .order_by(ClipRow.id)
        .limit(most)
    )


def _rejected(session: Session) -> tuple[ClipCard, ...]:
    """The first rejected window of each video, a few videos in all: people want to see what was thrown away."""
    first = (
        select(WindowRow.video_id, func.min(WindowRow.start_us).label("start_us"))
        .join(DecisionRow, DecisionRow.window_id == WindowRow.id)
        .where(DecisionRow.band == Band.REJECT)
        .group_by(WindowRow.video_id)
        .order_by(WindowRow.video_id)
        .limit(REJECTS_SHOWN)
        .subquery()
    )
    rows = (
        select(WindowRow, DecisionRow, SourceEntry, Video)
        .join(first, and_(first.c.video_id == WindowRow.video_id, first.c.start_us == WindowRow.start_us))
        .join(DecisionRow, DecisionRow.window_id == WindowRow.id)
        .join(SourceEntry, SourceEntry.id == WindowRow.source_id)
        .join(Video, Video.id == WindowRow.video_id)
        .where(DecisionRow.band == Band.REJECT)
        .order_by(WindowRow.video_id, WindowRow.id)
    )
    seen: dict[str, ClipCard] = {}
    for window, decision, entry, video in session.execute(rows).tuples():
        if video.id in seen:
            continue
        scores = session.scalars(select(ScoreRow.columns).where(ScoreRow.window_id == window.id)).all()
        seen[video.id] = ClipCard(
            clip_id=window.id,
            label=entry.label,
            caption=entry.caption,
            band=Band.REJECT,
            reasons=tuple(map(Outcome, decision.reasons)),
            verdict=None,
            scores={name: value for columns in scores for name, value in columns.items() if value is not None},
            media=Path(video.path) if video.path else None,
            link=video.link,
            licence=entry.licence,
            start_us=window.start_us,
            end_us=window.end_us,
            media_span_us=(window.start_us, window.end_us),
        )
    return tuple(seen.values())
