"""The curation flow: source lists in, an automatic snapshot and a review queue out.

Each task handles a batch and each item commits on its own, so a run that was killed goes on where it stopped and a
run that has nothing to do does nothing. The truth about items is in the ledger; Prefect sees batches.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import BaseModel, ConfigDict, Field

from curation.accounting.cost import keep_cost
from curation.accounting.funnel import funnel
from curation.accounting.networks import World, note, world_of
from curation.decide.apply import Decided, decide_all
from curation.decide.policy import Band, Policy
from curation.decide.quota import clips_by_band, fill_classes
from curation.decide.verdicts import in_force, lapsed
from curation.dedup.ledger import mark_duplicates
from curation.encoders.semantics import Semantics
from curation.fetch.cage import CAGES
from curation.fetch.failures import Stopped
from curation.fetch.governor import Governor
from curation.home.folder import Home, default_home
from curation.ledger.open import Ledger
from curation.media.sandbox import MediaWorkers
from curation.outcomes import Outcome
from curation.review.progress import progress
from curation.review.queue import enrol
from curation.scores.base import Score
from curation.scores.registry import build
from curation.settings.recipe import Recipe
from curation.sources.read import iter_sources
from curation.steps.ingest import fetch_video, register, videos_to_fetch
from curation.steps.measure import measure_video, videos_to_measure
from curation.steps.politeness import governor_of, lists_to_read_again, seconds_to_next_try
from curation.steps.publish import NothingToPublish, Publication, Selection, publish_selection
from curation.steps.tracks import TrackMaker
from flows.artifacts import leave_cost, leave_funnel, leave_not_run, leave_queue, leave_scores, leave_sheet
from flows.events import tell_target_reached
from flows.parameters import Sources
from flows.presets import default_recipe
from flows.progress import Step
from flows.standing import sources_of_run
from flows.summary import CurateSummary, NotRun
from shards.errors import Unavailable

BATCH = 64
"""Videos in a task: the server records some 40 task runs a second, so items never are tasks of their own."""

WORKERS = os.cpu_count() or 1


class CurateParams(BaseModel):
    """The parameters of a curation run; Prefect draws its form from them."""

    model_config = ConfigDict(extra="forbid")

    sources: Sources = Field([], description="tables, folders, files, tars, links, lists; none: the standing ones")
    home: Path = Field(default_factory=default_home, description="folder of the ledger, videos and snapshots")
    recipe: Recipe = Field(default_factory=default_recipe, description="every setting of the run")
    retry: bool = Field(False, description="try again what failed for good")


@flow(name="curate", task_runner=ThreadPoolTaskRunner(max_workers=WORKERS))  # type: ignore[arg-type]
def curate(params: CurateParams) -> CurateSummary:
    """Read, fetch, measure, decide, publish; every step only what is not done yet."""
    home, recipe, seconds = Home(params.home.absolute()), params.recipe, dict[str, float]()
    # Before anything is fetched: a recipe that cannot run says so here. All threads share one set of models.
    semantics = Semantics(recipe.semantics)
    scores, not_run = usable_scores(recipe, semantics)
    with home.ledger() as ledger:
        # One governor for lists and all batches: a host counts what the whole run asks of it, not a thread.
        governor = governor_of(ledger, recipe.fetch)
        sources, lacking = sources_of_run(ledger, params.sources)
    not_run += lacking
    with _timed(seconds, "read"):
        new_rows = read_rows(sources, home, recipe, governor) if sources else 0
    with _timed(seconds, "fetch"):
        later_rows, fetched = _fetch_all(home, params, sources, governor)
        CAGES.close()
    with MediaWorkers(settings=recipe.sandbox, analysis=recipe.analysis) as workers:
        with _timed(seconds, "measure"):
            stale = _ids_to_measure(home, recipe, scores)
            measured = _in_batches(measure_batch, stale, home, recipe, "measuring", scores, workers, semantics)
        with _timed(seconds, "decide"):
            decided = decide_windows(home, recipe)
        with _timed(seconds, "publish"):
            published = publish_accepted(home, recipe, workers)
    with home.ledger() as ledger:
        not_run += _lapsed_calibration(ledger, recipe.policy)
        world = _noted_world(ledger, home, recipe, scores)
        waiting = enrol(ledger, recipe.review)
        _leave_artifacts(ledger, home, recipe, world)
    leave_cost(seconds, decided.clips[Band.ACCEPT])
    keep_cost(home.root, seconds, decided.clips[Band.ACCEPT])
    leave_not_run(not_run)
    return CurateSummary(
        new_rows=new_rows + later_rows,
        fetched=fetched,
        measured=measured,
        **_bands(decided),
        waiting=waiting,
        snapshot=published.snapshot.id if published else None,
        fresh_snapshot=bool(published and published.fresh),
        not_run=not_run,
        **_told(world),
        seconds=seconds,
    )


def _bands(decided: Decided) -> dict[str, dict[str, int]]:
    """Windows and clips by band."""
    counted = {"windows": decided.windows, "clips": decided.clips}
    return {of: {band.value: count for band, count in counts.items()} for of, counts in counted.items()}


def _told(world: World) -> dict[str, Any]:
    """What the summary says of it."""
    return {"measured_by": list(world.measured), "decided_by": list(world.deciding), "decided": world.told}


def _noted_world(ledger: Ledger, home: Home, recipe: Recipe, scores: Sequence[Score]) -> World:
    """Whether published networks had a say in what was decided; noted for whoever asks later."""
    world = world_of([score.name for score in scores], in_force(ledger, recipe.policy), recipe.semantics)
    note(home.root, world)
    return world


def _leave_artifacts(ledger: Ledger, home: Home, recipe: Recipe, world: World) -> None:
    """What the home looks like after the run, for people in Prefect's UI."""
    queue = progress(ledger, recipe.review)
    leave_funnel(funnel(ledger), decided=world.told)
    leave_scores(ledger, recipe.policy)
    leave_sheet(ledger, home=home, settings=recipe.cut)
    leave_queue(queue, home=home.root, page=recipe.review.page)
    tell_target_reached(home, queue)


def _fetch_all(home: Home, params: CurateParams, sources: Sequence[str], governor: Governor) -> tuple[int, int]:
    """Fetch what is due; hosts that turn us away are waited for as long as the recipe says.

    Returns how many rows came of lists that were waited for, and how many videos came.
    """
    recipe, retry = params.recipe, params.retry
    last, rows, fetched = time.monotonic() + recipe.fetch.patience_s, 0, 0
    with home.ledger() as ledger:
        while True:
            ids = videos_to_fetch(ledger, retry=retry)
            fetched += _in_batches(fetch_batch, ids, home, recipe, "fetching", governor)
            wait_s, retry = seconds_to_next_try(ledger, sources), False
            if wait_s is None or time.monotonic() + wait_s > last:
                return rows, fetched
            time.sleep(wait_s)
            if lists := lists_to_read_again(ledger, sources):
                rows += read_rows(lists, home, recipe, governor)


@task(cache_policy=NO_CACHE)
def read_rows(sources: Sequence[str], home: Home, recipe: Recipe, governor: Governor) -> int:
    """Source lists into the ledger; returns how many rows are new."""
    with home.ledger() as ledger:
        rows = iter_sources(sources, settings=recipe.sources, fetch=recipe.fetch, governor=governor)
        return register(ledger, rows, sources=recipe.sources)


@task(cache_policy=NO_CACHE)
def fetch_batch(ids: Sequence[str], home: Home, recipe: Recipe, step: Step, governor: Governor) -> int:
    """Fetch a batch of videos; a video's own failure is an outcome in the ledger. Returns how many came."""
    outcomes: list[Outcome] = []
    with home.ledger() as ledger, suppress(Stopped):
        for video_id in ids:
            outcome = fetch_video(
                ledger,
                video_id,
                home=home,
                settings=recipe.fetch,
                sources=recipe.sources,
                governor=governor,
                stopped=step.stopped,
            )
            outcomes.append(outcome)
            step.tick(outcomes[-1])
    return outcomes.count(Outcome.OK)


@task(cache_policy=NO_CACHE)
def measure_batch(
    ids: Sequence[str],
    home: Home,
    recipe: Recipe,
    step: Step,
    scores: Sequence[Score],
    workers: MediaWorkers,
    semantics: Semantics,
) -> int:
    """Decode a batch of videos and measure the scores."""
    tracks = TrackMaker(home.embeddings, semantics, recipe.analysis)
    with home.ledger() as ledger:
        for video_id in ids:
            outcome = measure_video(
                ledger,
                video_id,
                scores,
                recipe=recipe,
                analyser=workers.analyse,
                tracks=tracks,
                viewer=workers.look,
            )
            step.tick(outcome)
    return len(ids)


@task(cache_policy=NO_CACHE)
def decide_windows(home: Home, recipe: Recipe) -> Decided:
    """Decide every window, merge neighbours into clips, find copies among those; opens no file."""
    with home.ledger() as ledger:
        policy = in_force(ledger, recipe.policy)
        decided = decide_all(
            ledger,
            policy,
            max_clip_us=round(recipe.clips.max_s * 1_000_000),
            audit_share=recipe.review.audit_share,
            max_clips_per_video=recipe.clips.most_per_video,
        )
        mark_duplicates(ledger, recipe.dedup)
        fill_classes(ledger, most=policy.most_per_class)
        return replace(decided, clips=clips_by_band(ledger))


@task(cache_policy=NO_CACHE)
def publish_accepted(home: Home, recipe: Recipe, workers: MediaWorkers) -> Publication | None:
    """Cut and publish what the policy accepted; None when that is nothing."""
    progress = Step("cutting").show
    with home.ledger() as ledger:
        ledger.check()
        try:
            return publish_selection(
                ledger, Selection.AUTO, home=home, recipe=recipe, workers=workers, progress=progress
            )
        except NothingToPublish:
            return None


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


def _lapsed_calibration(ledger: Ledger, policy: Policy) -> list[NotRun]:
    """The last calibration, where scores have changed since: the recipe's own weights decide until the next."""
    changed = lapsed(ledger, policy)
    why = f"it knows other versions of {', '.join(changed)}"
    return [NotRun(what="the last calibration", why=why, command="clapboard calibrate")] if changed else []


def _ids_to_measure(home: Home, recipe: Recipe, scores: Sequence[Score]) -> list[str]:
    with home.ledger() as ledger:
        return videos_to_measure(ledger, scores, recipe=recipe)


def _in_batches(work: object, ids: Sequence[str], home: Home, recipe: Recipe, name: str, *more: object) -> int:
    """Map a task over batches that keep all workers busy; returns the sum of what it returned."""
    size = max(1, min(BATCH, -(-len(ids) // WORKERS)))
    step = Step(name, len(ids))
    batches = [ids[first : first + size] for first in range(0, len(ids), size)]
    try:
        futures = [work.submit(batch, home, recipe, step, *more) for batch in batches]  # type: ignore[attr-defined]
        return sum(future.result() for future in futures)
    except BaseException:
        # A signal ends the run here, and Prefect waits for the threads that are at work.
        step.stop()
        raise


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[step] = round(time.perf_counter() - start, 2)
