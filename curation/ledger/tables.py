"""The ledger's tables (SQLAlchemy 2). SQLite by default, PostgreSQL by URL.

standing  a source that is curated whenever none is named
source    a row of a source list, or the fault that kept it from being one
video     a distinct link or file, what fetching and decoding it gave, and who works on it
turn      who does what only one may do at a time
told      what was told of the review queue, so that it is told once
window    a span that scores look at; many per video, overlapping
score     what one version of one score measured on a window
decision  what the policy in force says about a window
clip      merged windows of one band: the unit that is reviewed and published
verdict   a person's answer on a clip; rows are only ever added
judged    what a verdict that counts keeps of its clip, whatever is decided later
review    where a clip stands in the review queue, and who has it on the desk
reviewer  who may sign in to the review page
calibration  what P(good) and the edges of the bands were fitted to be
snapshot  what was published
fingerprint  what duplicates of a video are found by
takedown  what had to be removed, why, and from which snapshots
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, ForeignKey, Index, Integer, LargeBinary, String, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """All tables of the ledger."""

    type_annotation_map = {dict[str, Any]: JSON, list[Any]: JSON, int: BigInteger, datetime: DateTime(timezone=True)}  # noqa: RUF012


class StandingRow(Base):
    """A source that a run without sources of its own takes; `id` is a digest of it, as links may be long."""

    __tablename__ = "standing"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    source: Mapped[str]
    at: Mapped[datetime]


class SourceEntry(Base):
    """A row of a source list; `outcome` is "ok" or the fault, `proposal` what cutting it into windows gave.

    A list on a site that turned us away is row 0, and not asked again before `retry_at`.
    """

    __tablename__ = "source"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    table_name: Mapped[str]
    row: Mapped[int]
    video_id: Mapped[str | None] = mapped_column(String(40), index=True)
    start_us: Mapped[int | None]
    end_us: Mapped[int | None]
    caption: Mapped[str]
    label: Mapped[str]
    licence: Mapped[str]
    outcome: Mapped[str]
    detail: Mapped[str]
    retry_at: Mapped[datetime | None]
    proposal: Mapped[str | None]


class Video(Base):
    """A distinct link or local file. `fetch` and `analysis` are outcomes, None until tried.

    `extractor` is yt-dlp's module for the site and its version; a fetch is not tried again before `retry_at`. `path` is
    where the file lay when it was fetched; it may have left since. Leases are in milliseconds since 1970.
    """

    __tablename__ = "video"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    link: Mapped[str] = mapped_column(index=True)
    local: Mapped[bool]
    fetch: Mapped[str | None] = mapped_column(index=True)
    fetch_detail: Mapped[str] = mapped_column(default="")
    fetched_at: Mapped[datetime | None]
    path: Mapped[str | None]
    sha256: Mapped[str | None]
    bytes: Mapped[int | None]
    uploader: Mapped[str | None]
    site_licence: Mapped[str | None]
    title: Mapped[str | None]
    extractor: Mapped[str | None]
    retry_at: Mapped[datetime | None]
    analysis: Mapped[str | None] = mapped_column(index=True)
    analysis_detail: Mapped[str] = mapped_column(default="")
    analysis_key: Mapped[str | None]
    duration_us: Mapped[int | None]
    cuts_us: Mapped[list[Any]] = mapped_column(default=list)
    leased_to: Mapped[str | None] = mapped_column(String(80), index=True)
    leased_until_ms: Mapped[int] = mapped_column(default=0)


class TurnRow(Base):
    """Who does what only one may do at a time, such as deciding and publishing; a lease as those of videos."""

    __tablename__ = "turn"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    leased_to: Mapped[str] = mapped_column(String(80))
    leased_until_ms: Mapped[int]


class ToldRow(Base):
    """What was told, for all machines of a project: a note by the name of what it is about."""

    __tablename__ = "told"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    note: Mapped[dict[str, Any]]


class WindowRow(Base):
    """A span of a video that is scored; `crosses_cut` windows are never scored."""

    __tablename__ = "window"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    video_id: Mapped[str] = mapped_column(ForeignKey("video.id"))
    source_id: Mapped[str] = mapped_column(ForeignKey("source.id"))
    shot: Mapped[int]
    start_us: Mapped[int]
    end_us: Mapped[int]
    crosses_cut: Mapped[bool]

    __table_args__ = (Index("window_video_start", "video_id", "start_us"),)


class ScoreRow(Base):
    """What one version of one score measured on a window; `settings` is a digest of what else decides the numbers."""

    __tablename__ = "score"

    window_id: Mapped[str] = mapped_column(ForeignKey("window.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    settings: Mapped[str] = mapped_column(String(12), default="")
    columns: Mapped[dict[str, Any]]


class DecisionRow(Base):
    """The policy's word on a window; re-deciding overwrites it, scores stay."""

    __tablename__ = "decision"

    window_id: Mapped[str] = mapped_column(ForeignKey("window.id"), primary_key=True)
    policy: Mapped[str] = mapped_column(String(16))
    band: Mapped[str] = mapped_column(index=True)
    reasons: Mapped[list[Any]]
    p_good: Mapped[float]


class ClipRow(Base):
    """Merged windows of one band; `current` is False once a re-decision no longer proposes it.

    `sound_late_us` is how late its sound is in the source, which the cut mends. `duplicate_of` names the better copy (a
    clip's id, or "LIST:NAME" of a benchmark's) that keeps this one out.
    """

    __tablename__ = "clip"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    video_id: Mapped[str] = mapped_column(ForeignKey("video.id"), index=True)
    source_id: Mapped[str] = mapped_column(ForeignKey("source.id"))
    start_us: Mapped[int]
    end_us: Mapped[int]
    band: Mapped[str]
    reasons: Mapped[list[Any]]
    p_good: Mapped[float]
    scores: Mapped[dict[str, Any]]
    policy: Mapped[str] = mapped_column(String(16))
    audit: Mapped[bool]
    current: Mapped[bool]
    cut: Mapped[str | None]
    sound_late_us: Mapped[int] = mapped_column(default=0)
    duplicate_of: Mapped[str | None]

    __table_args__ = (Index("clip_current_band", "current", "band"),)


class VerdictRow(Base):
    """A person's answer; never changed. Undoing one is another row, with `undoes`.

    `key` makes an answer that was sent twice count once. `label`, `caption`, `parts` (spans of the source, [[start_us,
    end_us], ...]) and `sound_late_us` are what the reviewer changed, None what was left as it is. `page` is the version
    of what was answered with, `seconds` how long it took.
    """

    __tablename__ = "verdict"

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True
    )
    clip_id: Mapped[str] = mapped_column(ForeignKey("clip.id"), index=True)
    reviewer: Mapped[str]
    verdict: Mapped[str]
    reason: Mapped[str] = mapped_column(default="")
    role: Mapped[str] = mapped_column(default="answer")
    undoes: Mapped[int | None]
    key: Mapped[str | None] = mapped_column(String(36), unique=True)
    label: Mapped[str | None]
    caption: Mapped[str | None]
    parts: Mapped[list[Any] | None]
    sound_late_us: Mapped[int | None]
    seconds: Mapped[float | None]
    page: Mapped[str] = mapped_column(default="")
    at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (Index("verdict_reviewer", "reviewer", "id"),)


class JudgedRow(Base):
    """What a verdict that counts, or did, keeps of its clip whatever is decided later.

    `sound_late_us` is how late the sound was for the reviewer; `cut` how cutting the clip as the reviewer left it went,
    None until that was tried.
    """

    __tablename__ = "judged"

    verdict_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("verdict.id"), primary_key=True, autoincrement=False)
    sound_late_us: Mapped[int]
    cut: Mapped[str | None]


class ReviewRow(Base):
    """Where a clip stands in the queue: a view of its verdicts that can be made anew from them, and its lease.

    `verdict_id` is the verdict that counts. `value` orders the queue; it comes from `uncertainty` (in the order
    `collect`: P(good)), `disagreement` of scores and what its class lacks. `shuffle` is a random order that stays.
    Leases are in milliseconds since 1970.
    """

    __tablename__ = "review"

    clip_id: Mapped[str] = mapped_column(ForeignKey("clip.id"), primary_key=True)
    label: Mapped[str] = mapped_column(default="")
    state: Mapped[str] = mapped_column(default="waiting")
    verdict_id: Mapped[int | None] = mapped_column(index=True)
    answers: Mapped[int] = mapped_column(default=0)
    wanted: Mapped[int] = mapped_column(default=1)
    audit: Mapped[bool] = mapped_column(default=False)
    golden: Mapped[bool] = mapped_column(default=False)
    uncertainty: Mapped[float] = mapped_column(default=0.0)
    disagreement: Mapped[float] = mapped_column(default=0.0)
    value: Mapped[float] = mapped_column(default=0.0)
    shuffle: Mapped[float] = mapped_column(default=0.0)
    leased_to: Mapped[str | None] = mapped_column(index=True)
    leased_until_ms: Mapped[int] = mapped_column(default=0)

    __table_args__ = (
        Index("review_order", "state", "value"),
        Index("review_shuffle", "state", "audit", "shuffle"),
    )


class ReviewerRow(Base):
    """Somebody who may sign in to the review page; `password` is an argon2 hash."""

    __tablename__ = "reviewer"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    password: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class CalibrationRow(Base):
    """What a calibration fitted (weights and edges of the policy) and how good it was; the newest counts.

    `newest_verdict` is the last verdict it knew.
    """

    __tablename__ = "calibration"

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True
    )
    policy: Mapped[dict[str, Any]]
    report: Mapped[dict[str, Any]]
    newest_verdict: Mapped[int] = mapped_column(default=0)
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class SnapshotRow(Base):
    """A publication: "NAME/vN", its content digest and its size."""

    __tablename__ = "snapshot"

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    content: Mapped[str]
    clips: Mapped[int]
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class FingerprintRow(Base):
    """Fingerprints of a whole video, one per `version` of the method; a clip's are a slice in time.

    `role` is "source", or the name of the list of benchmark media that it stands for.
    """

    __tablename__ = "fingerprint"

    video_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(default="source")
    picture: Mapped[bytes] = mapped_column(LargeBinary)
    sound: Mapped[bytes] = mapped_column(LargeBinary)


class TakedownRow(Base):
    """A removal on somebody's demand: never fetched or published again."""

    __tablename__ = "takedown"

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True
    )
    video_id: Mapped[str] = mapped_column(String(40), index=True)
    link: Mapped[str]
    reason: Mapped[str] = mapped_column(default="")
    snapshots: Mapped[list[Any]] = mapped_column(default=list)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
