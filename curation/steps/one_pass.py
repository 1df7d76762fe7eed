"""One pass for each video: fetch, measure and, where its file is not to stay, decide and cut, before the next is taken.

Videos are claimed in the ledger, so any number of processes and machines work one list off together, and the disk holds
what is under way instead of the whole crawl. Each step of a video commits on its own: whoever is killed loses at most
the step at hand, and whoever claims the video next goes on there.
"""

import sys
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from sqlalchemy import ColumnElement, or_, select

from curation.decide.apply import Merging, decide_video
from curation.decide.policy import Band, Policy
from curation.encoders.semantics import Semantics
from curation.fetch.governor import Governor
from curation.home.cutting import Bring, Span, cut_span
from curation.home.folder import Home
from curation.home.store import Keep, NoRoom, Room, Stay
from curation.home.takedown import TakenDownMeanwhile, unless_taken_down
from curation.ledger import leases
from curation.ledger.leases import claim_videos, give_back
from curation.ledger.open import Ledger
from curation.ledger.tables import ClipRow, Video
from curation.media.failures import Stopped
from curation.media.sandbox import MediaWorkers
from curation.outcomes import Outcome
from curation.scores.base import Score
from curation.settings.recipe import Recipe
from curation.steps.ingest import bring_with, is_here
from curation.steps.measure import measure_video
from curation.steps.release import release
from curation.steps.tracks import TrackMaker

AHEAD = 2
"""Videos that are fetched while one is measured; each costs the memory of a cage [ours]."""

CLAIMED_AT_ONCE = 16

LOOK_S = 0.2
"""How often a run that waits for fetches looks whether it is to end."""

Told = Callable[[str, Outcome], None]
"""Called with each video's id and what became of it."""


class Claims:
    """Hands out the videos that are due, each once; threads share it."""

    def __init__(
        self, ledger: Ledger, due: ColumnElement[bool], *, holder: str, lease_s: float = leases.LEASE_S
    ) -> None:
        self._ledger, self._due, self._holder, self._lease_s = ledger, due, holder, lease_s
        self._lock, self._after, self._waiting = threading.Lock(), "", deque[str]()

    def take(self) -> str | None:
        """The id of one more video, which is the holder's from now on; None where none is left."""
        with self._lock:
            if not self._waiting:
                self._waiting.extend(
                    claim_videos(
                        self._ledger,
                        self._due,
                        holder=self._holder,
                        most=CLAIMED_AT_ONCE,
                        after=self._after,
                        lease_s=self._lease_s,
                    )
                )
                self._after = max([self._after, *self._waiting])
            return self._waiting.popleft() if self._waiting else None

    def done(self, video_id: str) -> None:
        """It may be claimed again."""
        give_back(self._ledger, self._holder, [video_id])


@dataclass(frozen=True, slots=True)
class Worked:
    """How many videos came and were measured; `no_room` is a sentence where the disk's limit ended it."""

    fetched: int = 0
    measured: int = 0
    no_room: str = ""

    def __add__(self, other: "Worked") -> "Worked":
        return Worked(self.fetched + other.fetched, self.measured + other.measured, self.no_room or other.no_room)


@dataclass(frozen=True, slots=True)
class _Here:
    """What became of a fetch; `stay` is None where the file was here before."""

    outcome: Outcome
    stay: Stay | None = None


class OnePass:
    """What a run works its videos off with; threads share it."""

    def __init__(
        self,
        home: Home,
        recipe: Recipe,
        *,
        policy: Policy,
        scores: list[Score],
        semantics: Semantics,
        workers: MediaWorkers,
        governor: Governor,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """`policy` is the one in force; `stopped` says whether the run ends."""
        self.home, self.recipe, self.room = home, recipe, Room(home, recipe.store)
        self._policy, self._scores, self._workers = policy, scores, workers
        self._governor, self._stopped = governor, stopped
        self._tracks = TrackMaker(home.embeddings, semantics, recipe.analysis)
        self._merging = merging_of(recipe)

    def work(self, claims: Claims, *, most: int = sys.maxsize, told: Told) -> Worked:
        """Work off so many videos at most; returns when that is done or none is left. `told` hears of each of them."""
        done, taken, coming = Worked(), 0, dict[Future[_Here], str]()
        with self.home.ledger() as ledger, ThreadPoolExecutor(AHEAD, thread_name_prefix="fetch") as fetchers:
            try:
                while not self._stopped():
                    while taken < most and len(coming) < AHEAD and not done.no_room and (next_one := claims.take()):
                        coming[fetchers.submit(self._fetch, ledger, next_one)] = next_one
                        taken += 1
                    if not coming:
                        break
                    for future in wait(coming, timeout=LOOK_S, return_when=FIRST_COMPLETED).done:
                        video_id = coming.pop(future)
                        done += self._finish(ledger, video_id, future, told)
                        claims.done(video_id)
            except BaseException:
                fetchers.shutdown(wait=False, cancel_futures=True)
                raise
        return done

    def bring(self, ledger: Ledger) -> Bring:
        """See `bring_with`."""
        return bring_with(ledger, self.home, self.recipe, self._governor, stopped=self._stopped)

    def _fetch(self, ledger: Ledger, video_id: str) -> "_Here":
        """Have a video's file here.

        Raises:
            NoRoom: there is none for it.
            Stopped: the run ends.
        """
        with ledger.session() as session:
            if is_here(session.get_one(Video, video_id)):
                return _Here(Outcome.OK)
        stay = self.room.enter()
        try:
            outcome = self.bring(ledger)(video_id)
            if outcome is Outcome.OK:
                stay.came(_size(ledger, video_id))
        except BaseException:
            stay.end()
            raise
        return _Here(outcome, stay)

    def _finish(self, ledger: Ledger, video_id: str, future: "Future[_Here]", told: Told) -> Worked:
        """What comes after the fetch."""
        try:
            here = future.result()
        except NoRoom as full:
            return Worked(no_room=full.why)
        except Stopped:
            return Worked()
        came = here.outcome is Outcome.OK and here.stay is not None
        try:
            if self._stopped():
                return Worked(fetched=int(came))
            if here.outcome is not Outcome.OK:
                told(video_id, here.outcome)
                return Worked()
            told(video_id, self._measure(ledger, video_id))
            if self._cuts_now and not self._stopped():
                self._decide_and_cut(ledger, video_id)
            if self.recipe.store.keep is Keep.UNTIL_DECIDED:
                self.room.freed(release(ledger, self.home, video_id))
            return Worked(fetched=int(came), measured=1)
        except Stopped:
            return Worked(fetched=int(came))
        finally:
            if here.stay:
                here.stay.end()

    def _measure(self, ledger: Ledger, video_id: str) -> Outcome:
        return measure_video(
            ledger,
            video_id,
            self._scores,
            recipe=self.recipe,
            analyser=self._workers.analyse,
            tracks=self._tracks,
            viewer=self._workers.look,
        )

    @property
    def _cuts_now(self) -> bool:
        """Whether clips are cut here and now: the file will be gone later, or whoever publishes has not got it."""
        return self.recipe.store.keep is Keep.UNTIL_DECIDED or self.home.shared_cuts is not None

    def _decide_and_cut(self, ledger: Ledger, video_id: str) -> None:
        """Cut what the policy in force accepts or asks about; which clips are copies of others' is known only later."""
        with suppress(TakenDownMeanwhile):
            with unless_taken_down(ledger, video_id) as session:
                decide_video(session, video_id, self._policy, self._merging)
                asked_or_kept = or_(ClipRow.band == Band.ACCEPT, ClipRow.band == Band.REVIEW)
                clips = select(ClipRow).where(ClipRow.video_id == video_id, ClipRow.current, asked_or_kept)
                spans = [Span.of(clip) for clip in session.scalars(clips.order_by(ClipRow.id))]
            cut = partial(
                cut_span, home=self.home, settings=self.recipe.cut, cutter=self._workers.cut, bring=self.bring(ledger)
            )
            for span in spans:
                if self._stopped():
                    return
                cut(ledger, span)


def merging_of(recipe: Recipe) -> Merging:
    """How a recipe makes clips of windows."""
    return Merging(round(recipe.clips.max_s * 1_000_000), recipe.review.audit_share, recipe.clips.most_per_video)


def _size(ledger: Ledger, video_id: str) -> int:
    """Bytes that a fetched file takes of the home."""
    with ledger.session() as session:
        video = session.get_one(Video, video_id)
        return 0 if video.local else video.bytes or 0
