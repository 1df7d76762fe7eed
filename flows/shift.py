"""A run at work on a home: what it works with, the videos it claims, and its turn to decide and publish.

Any number of runs, on any number of machines, may be at work on one ledger. They share its videos by leases; one at a
time decides and publishes, once nobody works on a video any more.
"""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.task_runners import ThreadPoolTaskRunner
from sqlalchemy import ColumnElement, and_

from curation.decide.verdicts import in_force
from curation.encoders.semantics import Semantics
from curation.fetch.cage import CAGES
from curation.fetch.governor import Governor
from curation.home.folder import Home
from curation.home.takedown import forget_here
from curation.ledger.leases import give_back, kept_up, new_holder, turn, wait_for_others, was_abandoned
from curation.ledger.open import Ledger
from curation.media.sandbox import MediaWorkers
from curation.outcomes import Outcome
from curation.scores.base import Score
from curation.scores.registry import build
from curation.settings.recipe import Recipe
from curation.steps.due import count_of, is_due
from curation.steps.one_pass import Claims, OnePass, Worked
from curation.steps.politeness import governor_of
from flows.progress import Step, run_logger
from flows.summary import NotRun
from shards.errors import Unavailable

BATCH = 64
"""Videos in a task at least: the server records some 40 task runs a second, so items never are tasks of their own."""

MOST_TASKS = 256
"""Tasks in a run at most; a page with more of them is unreadable, and each costs the server 20 KB."""

THREADS_OF_FLOW: ThreadPoolTaskRunner[Any] = ThreadPoolTaskRunner(max_workers=os.cpu_count() or 1)
"""For flows that work videos off: as many tasks at a time as there are processors."""

PUBLISHING = "publish"


class Shift:
    """What a run works with; threads share it. Not a dataclass, so that Prefect does not look for results inside."""

    def __init__(self, home: Home, recipe: Recipe, ledger: Ledger, workers: MediaWorkers, holder: str) -> None:
        self.home, self.recipe, self.ledger, self.workers, self.holder = home, recipe, ledger, workers, holder
        semantics = Semantics(recipe.semantics)
        # Before anything is fetched: a recipe that cannot run says so here. All threads share one set of models.
        self.scores, self.not_run = usable_scores(recipe, semantics)
        # One governor for lists and all threads: a host counts what the whole run asks of it.
        self.governor: Governor = governor_of(ledger, recipe.fetch)
        self.step = Step("videos")
        self.one_pass = OnePass(
            home,
            recipe,
            policy=in_force(ledger, recipe.policy),
            scores=self.scores,
            semantics=semantics,
            workers=workers,
            governor=self.governor,
            stopped=self.step.stopped,
        )

    def tell(self, video_id: str, outcome: Outcome) -> None:
        """One more video is done; the log of the run names those that were lost, for `clapboard explain`."""
        if outcome is not Outcome.OK:
            run_logger().info("video %s: %s", video_id, outcome)
        self.step.tick(outcome)


@contextmanager
def at_work(home: Home, recipe: Recipe, *, decoders: int | None = None) -> Iterator[Shift]:
    """Work on a home for the length of the block; what was claimed and not done is free at its end.

    `decoders` is how many processes decode and cut: the recipe says it where this does not.
    """
    holder = new_holder()
    with (
        home.ledger() as ledger,
        MediaWorkers(decoders, settings=recipe.sandbox, analysis=recipe.analysis) as workers,
        kept_up(ledger, holder),
    ):
        if home.shared_cuts is not None:
            # Another machine's take-down could not reach this one's disk.
            forget_here(ledger, home=home)
        yield Shift(home, recipe, ledger, workers, holder)


def work_off(shift: Shift, due: ColumnElement[bool]) -> Worked:
    """Work off the videos of which a condition holds: tasks that each take what is due next until they had enough."""
    total = count_of(shift.ledger, due)
    if not total:
        return Worked()
    claims, most = Claims(shift.ledger, due, holder=shift.holder), max(BATCH, math.ceil(total / MOST_TASKS))
    shift.step.total += total
    size = max(1, min(most, math.ceil(total / shift.workers.count)))
    try:
        futures = [work_batch.submit(shift, claims, size) for _ in range(math.ceil(total / size))]
        return sum((future.result() for future in futures), start=Worked())
    except BaseException:
        # A signal ends the run here, and Prefect waits for the threads that are at work.
        shift.step.stop()
        raise
    finally:
        CAGES.close()
        give_back(shift.ledger, shift.holder)


@task(cache_policy=NO_CACHE)
def work_batch(shift: Shift, claims: Claims, most: int) -> Worked:
    """Fetch, measure and cut videos that are due; a video's own failure is an outcome in the ledger."""
    return shift.one_pass.work(claims, most=most, told=shift.tell)


@contextmanager
def my_turn(shift: Shift) -> Iterator[None]:
    """Be the only one that decides and publishes, for the length of the block; whoever has the turn is waited for."""
    with turn(shift.ledger, PUBLISHING, shift.holder):
        yield


def take_over(shift: Shift) -> Worked:
    """Wait until those who work on videos now are done, and do what those that died leave."""
    wait_for_others(shift.ledger, shift.holder)
    return work_off(shift, and_(was_abandoned(), is_due(shift.scores, shift.recipe)))


def usable_scores(recipe: Recipe, semantics: Semantics) -> tuple[list[Score], list[NotRun]]:
    """The scores this machine can compute, and for each optional one that it cannot, why.

    Raises:
        Unavailable: a score that the recipe demands cannot run here.
    """
    scores, not_run = build(recipe.scores, semantics=semantics), []
    for score in scores:
        score.check()
    for score in build(recipe.optional_scores, semantics=semantics):
        try:
            score.check()
            scores.append(score)
        except Unavailable as lack:
            not_run.append(NotRun(what=f"score {score.name}", why=lack.message, command=lack.remedy))
    return scores, not_run
