"""Source rows into the ledger, and videos onto the disk; each row and each link once."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from curation.fetch.download import fetch
from curation.fetch.failures import FetchFailure
from curation.fetch.governor import Governor
from curation.fetch.local import take_local
from curation.fetch.objects import fetch_object, is_object, take_member
from curation.fetch.settings import FetchSettings
from curation.fetch.site import Fetched
from curation.fetch.ytdlp import Licensed
from curation.home.claims import claimed
from curation.home.cutting import Bring
from curation.home.folder import Home
from curation.home.takedown import TakenDownMeanwhile, downloads, is_taken_down, unless_taken_down
from curation.ledger.open import Ledger
from curation.ledger.tables import SourceEntry, Video
from curation.media.failures import Stopped
from curation.outcomes import Outcome
from curation.settings.recipe import Recipe
from curation.sources.base import RowFault, SourceRow, split_member
from curation.sources.identity import without_fragment
from curation.sources.settings import SourceSettings
from curation.steps.due import to_fetch, videos_that
from curation.steps.entries import Reading
from shards.files import FULL

ROWS_AT_ONCE = 5_000
"""Rows in a transaction of `register`."""


def register(ledger: Ledger, rows: Iterable[SourceRow | RowFault], *, sources: SourceSettings | None = None) -> int:
    """Write rows and faults into the ledger as they are read; returns how many it did not know yet.

    A row that is there keeps its id and what was found out since; its words are taken anew. Rows of videos that were
    taken down become faults, and so do rows that came in before and are kept out now: by the lists and allow-lists that
    `rows` were read with, or, where the site alone states a licence, by that of `sources`. Faults that a table no
    longer has are forgotten when all is read.
    """
    waiting, new, reading = iter(rows), 0, Reading(sources)
    while batch := list(islice(waiting, ROWS_AT_ONCE)):
        with ledger.session() as session:
            new += reading.write(session, batch)
    with ledger.session() as session:
        reading.finish(session)
    return new


def videos_to_fetch(ledger: Ledger, *, retry: bool = False) -> list[str]:
    """Ids of the videos that `due.to_fetch` means, in order."""
    return videos_that(ledger, to_fetch(retry=retry))


def fetch_video(
    ledger: Ledger,
    video_id: str,
    *,
    home: Home,
    settings: FetchSettings,
    sources: SourceSettings | None = None,
    governor: Governor | None = None,
    progress: Callable[[int, int | None], None] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Bring one video onto the disk and record how that went; never raises for a video's own fault.

    Of a video that is taken down meanwhile nothing is kept, whatever came of the fetch.

    `sources` says which hosts are asked, and which licences of a site are taken where the lists state none; `stopped`,
    whether the run ends.

    Raises:
        Stopped: the run ended before the video was here; nothing is recorded.
    """
    sources = sources or SourceSettings()
    if stopped():
        raise Stopped
    try:
        home.videos.mkdir(parents=True, exist_ok=True)
        # Two flows may have come to one video at once: the second finds what the first one fetched.
        with claimed(home.videos / f".{video_id}.claim"):
            with ledger.session() as session:
                video = session.get_one(Video, video_id)
                if is_taken_down(session, video_id):
                    return Outcome.TAKEN_DOWN
                if not video.local and is_here(video):
                    return Outcome.OK
                asked = _asked(session, video, sources)
            got = _got(
                asked, home=home, settings=settings, hosts=sources.hosts, governor=governor, progress=progress,
                stopped=stopped,
            )  # fmt: skip
            return _record(ledger, video_id, got, home)
    except OSError as error:
        # What a site or a file did is typed by now: this is the home's own disk.
        if error.errno not in FULL:
            raise
        return _record(ledger, video_id, FetchFailure(Outcome.DISK_FULL, f"{home.videos}: {error.strerror}"), home)


def bring_with(
    ledger: Ledger, home: Home, recipe: Recipe, governor: Governor, *, stopped: Callable[[], bool] = lambda: False
) -> Bring:
    """What fetches a video by its id, as a recipe says; its file may have left since it came.

    It raises `Stopped` when the run ends.
    """
    return partial(
        fetch_video, ledger, home=home, settings=recipe.fetch, sources=recipe.sources, governor=governor,
        stopped=stopped,
    )  # fmt: skip


def is_here(video: Video) -> bool:
    """Whether a video was fetched and its file lies on this machine."""
    return video.fetch == Outcome.OK and video.path is not None and Path(video.path).is_file()


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is fetched.

    Attributes:
        video_id, link: of the video.
        local: whether the link is a path, or a place in a tar.
        named: whether a source names the object store that the link leads to. Objects are read with this machine's own
            credentials: only there.
        licensed: what is asked about the licence that a site states; where a list states one its word counts.
    """

    video_id: str
    link: str
    local: bool
    named: bool
    licensed: Licensed | None


def _asked(session: Session, video: Video, sources: SourceSettings) -> _Asked:
    listed = select(SourceEntry.licence, SourceEntry.table_name).where(SourceEntry.video_id == video.id)
    rows = session.execute(listed.where(SourceEntry.outcome == Outcome.OK)).tuples().all()
    stated = {licence for licence, _ in rows} - {""}
    named = any(is_object(table) for _, table in rows)
    return _Asked(video.id, video.link, video.local, named, None if stated else sources.allows)


def _got(
    asked: _Asked,
    *,
    home: Home,
    settings: FetchSettings,
    hosts: Sequence[str],
    governor: Governor | None,
    progress: Callable[[int, int | None], None] | None,
    stopped: Callable[[], bool],
) -> Fetched | FetchFailure:
    """The file behind a link, a path or a place in a tar, or why there is none."""
    try:
        if asked.local:
            return _take(asked.link, home, asked.video_id, settings, stopped)
        if is_object(asked.link) and asked.named:
            return fetch_object(asked.link, into=home.videos, name=asked.video_id, settings=settings)
        return fetch(
            # The ledger may have it as a list wrote it, before fragments were dropped there.
            without_fragment(asked.link),
            into=home.videos,
            name=asked.video_id,
            settings=settings,
            governor=governor,
            progress=progress,
            licensed=asked.licensed,
            hosts=hosts,
        )
    except FetchFailure as failure:
        return failure


def _take(link: str, home: Home, video_id: str, settings: FetchSettings, stopped: Callable[[], bool]) -> Fetched:
    """A file of this machine where it lies, or a member of a tar as a file of its own."""
    path, member = split_member(link)
    if member:
        return take_member(Path(path), member, into=home.videos, name=video_id, settings=settings)
    return take_local(Path(path), settings, stopped=stopped)


def _record(ledger: Ledger, video_id: str, got: Fetched | FetchFailure, home: Home) -> Outcome:
    """Record how a fetch went, unless the video was taken down meanwhile: then what came is deleted."""
    try:
        with unless_taken_down(ledger, video_id) as session:
            video = session.get_one(Video, video_id)
            if isinstance(got, FetchFailure):
                _note_failure(video, got)
                return got.outcome
            _note_fetched(video, got)
            _fill_licence(session, video_id, got.metadata.licence)
            return Outcome.OK
    except TakenDownMeanwhile:
        for path in downloads(home, video_id):
            path.unlink(missing_ok=True)
        return Outcome.TAKEN_DOWN


def _note_fetched(video: Video, got: Fetched) -> None:
    changed = video.sha256 not in (None, got.sha256)
    video.fetch, video.fetch_detail, video.fetched_at = Outcome.OK, got.metadata.joined, datetime.now(UTC)
    video.path, video.sha256, video.bytes = str(got.path), got.sha256, got.bytes
    video.uploader, video.title = got.metadata.uploader, got.metadata.title
    video.extractor, video.site_licence = got.metadata.by, got.metadata.licence
    video.retry_at = None
    if changed:
        # Without its key the analysis counts as another's: the old bytes' windows and scores go.
        video.analysis = video.analysis_key = None


def _note_failure(video: Video, failure: FetchFailure) -> None:
    video.fetch, video.fetch_detail, video.retry_at = failure.outcome, failure.detail, failure.retry_at
    if failure.asked:
        # Where nobody was asked, nothing counts against the host's hour.
        video.fetched_at = datetime.now(UTC)


def _fill_licence(session: Session, video_id: str, licence: str | None) -> None:
    """A row that names no licence takes the one that the site states."""
    if licence:
        silent = update(SourceEntry).where(SourceEntry.video_id == video_id, SourceEntry.licence == "")
        session.execute(silent.values(licence=licence))
