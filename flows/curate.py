"""The curation flow: source lists in, an automatic snapshot and a review queue out.

Each task works off many videos and each step of a video commits on its own, so a run that was killed goes on where it
stopped and a run that has nothing to do does nothing. The truth about items is in the ledger; Prefect sees batches.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from pydantic import Field

from curation.accounting.cost import keep_cost
from curation.accounting.funnel import funnel
from curation.accounting.networks import World, note, world_of
from curation.decide.apply import Decided, decide_all
from curation.decide.policy import Band, Policy
from curation.decide.quota import clips_by_band, fill_classes
from curation.decide.verdicts import in_force, lapsed
from curation.dedup.ledger import mark_duplicates
from curation.fetch.governor import Governor
from curation.home.folder import Home, default_home
from curation.home.store import Keep
from curation.ledger.open import Ledger
from curation.review.progress import progress
from curation.review.queue import enrol
from curation.scores.base import Score
from curation.settings.recipe import Recipe
from curation.sources.read import iter_sources
from curation.steps.due import is_due
from curation.steps.ingest import register
from curation.steps.one_pass import Worked, merging_of
from curation.steps.politeness import lists_to_read_again, seconds_to_next_try
from curation.steps.publish import NothingToPublish, Publication, Selection, publish_selection
from curation.steps.release import release_all
from flows.artifacts import leave_cost, leave_funnel, leave_not_run, leave_queue, leave_scores, leave_sheet
from flows.events import tell_clips_wait, tell_target_reached
from flows.later import goes_on_later
from flows.lineage import tell_made
from flows.names import dated, named_sources
from flows.parameters import Preset, RecipeOnTop, Runner, Sources, WithRecipe
from flows.progress import Step
from flows.shift import THREADS_OF_FLOW, Shift, at_work, my_turn, take_over, work_off
from flows.spread import by_ray, by_workers
from flows.standing import sources_of_run
from flows.stopping import stoppable
from flows.summary import CurateSummary, NotRun


class CurateParams(WithRecipe):
    """The parameters of a curation run; Prefect draws its form from them."""

    sources: Sources = Field([], description="tables, folders, files, tars, links, lists; none: the standing ones")
    preset: Preset = ""
    recipe: RecipeOnTop
    home: Path = Field(
        default_factory=default_home,
        description="folder of the ledger, videos and snapshots; empty: the worker's CLAPBOARD_HOME",
    )
    retry: bool = Field(False, description="try again what failed for good")
    runner: Runner = Field(Runner.THREADS, description="who works videos off: threads of this run, workers, or ray")
    shares: int = Field(2, ge=1, le=1000, description="for workers and ray: how many runs or processes")
    ray_address: str = Field("", description="for ray: the cluster's address; empty: one of this machine alone")

    @property
    def run_name(self) -> str:
        """What a run of these is called."""
        return dated("curate", named_sources(self.sources))


@flow(name="curate", flow_run_name="{params.run_name}", task_runner=THREADS_OF_FLOW)  # type: ignore[arg-type]
@stoppable()
@goes_on_later
def curate(params: CurateParams) -> CurateSummary:
    """Read sources, work every video off in one pass, decide, publish; every step only what is not done yet."""
    home, recipe, seconds = Home(params.home.absolute()), params.recipe, dict[str, float]()
    with at_work(home, recipe) as shift:
        sources, lacking = sources_of_run(shift.ledger, params.sources)
        with _timed(seconds, "read"):
            new_rows = read_rows(sources, home, recipe, shift.governor) if sources else 0
        with _timed(seconds, "videos"):
            elsewhere = _elsewhere(shift, params)
        rounds = [_round(shift, sources, seconds, retry=params.retry)]
        while rounds[-1].made_room:
            rounds.append(_round(shift, sources, seconds))
        last, worked = rounds[-1], sum((one.worked for one in rounds), start=elsewhere)
        not_run = [*shift.not_run, *lacking, *_lapsed_calibration(shift.ledger, recipe.policy), *_no_room(last.worked)]
        world = _noted_world(shift.ledger, home, recipe, shift.scores)
        _tell_lineage(rounds, sources)
        _leave_artifacts(shift.ledger, home, recipe, world)
    leave_cost(seconds, last.decided.clips[Band.ACCEPT])
    keep_cost(home.root, seconds, last.decided.clips[Band.ACCEPT])
    leave_not_run(not_run)
    return CurateSummary(
        new_rows=new_rows + sum(one.new_rows for one in rounds),
        fetched=worked.fetched,
        measured=worked.measured,
        **_bands(last.decided),
        waiting=last.waiting,
        snapshot=last.published.snapshot.id if last.published else None,
        fresh_snapshot=any(one.published and one.published.fresh for one in rounds),
        not_run=not_run,
        **_told(world),
        seconds=seconds,
    )


@dataclass(frozen=True, slots=True)
class _Round:
    """What was done until nothing was left, or until the disk's limit was reached.

    `new_rows` came of lists that were waited for; `made_room` says that the rest can be fetched now, since files left.
    """

    new_rows: int
    worked: Worked
    decided: Decided
    published: Publication | None
    waiting: int
    made_room: bool


def _round(shift: Shift, sources: Sequence[str], seconds: dict[str, float], *, retry: bool = False) -> _Round:
    """Work off what is due, then decide and publish when nobody else works on a video any more."""
    with _timed(seconds, "videos"):
        rows, worked = _work_all(shift, sources, retry=retry)
    with my_turn(shift):
        with _timed(seconds, "videos"):
            worked += take_over(shift)
        with _timed(seconds, "decide"):
            decided = decide_windows(shift.home, shift.recipe)
        with _timed(seconds, "publish"):
            published, waiting = publish_accepted(shift), enrol(shift.ledger, shift.recipe.review)
        leaves = shift.recipe.store.keep is not Keep.ALWAYS
        freed = release_all(shift.ledger, shift.home, holder=shift.holder) if leaves else 0
    return _Round(rows, worked, decided, published, waiting, made_room=bool(worked.no_room and freed))


def _tell_lineage(rounds: Sequence[_Round], sources: Sequence[str]) -> None:
    """Tell Prefect which snapshots came of which sources."""
    for one in rounds:
        if one.published and one.published.fresh:
            snapshot = one.published.snapshot
            facts = {"clips": snapshot.manifest["counts"]["clips"], "content": snapshot.manifest["content"]}
            tell_made(snapshot.path, of=sources, facts=facts)


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
    tell_clips_wait(home, queue, page=recipe.review.page)


@task(cache_policy=NO_CACHE)
def read_rows(sources: Sequence[str], home: Home, recipe: Recipe, governor: Governor) -> int:
    """Source lists into the ledger; returns how many rows are new."""
    with home.ledger() as ledger:
        rows = iter_sources(sources, settings=recipe.sources, fetch=recipe.fetch, governor=governor)
        return register(ledger, rows, sources=recipe.sources)


def _elsewhere(shift: Shift, params: CurateParams) -> Worked:
    """Have videos worked off by others first, where the parameters say so; what they leave is this run's."""
    match params.runner:
        case Runner.WORKERS:
            return by_workers(shift, params.shares, retry=params.retry)
        case Runner.RAY:
            return by_ray(shift, params.shares, address=params.ray_address, retry=params.retry)
        case Runner.THREADS:
            return Worked()


def _work_all(shift: Shift, sources: Sequence[str], *, retry: bool) -> tuple[int, Worked]:
    """Work off what is due; hosts that turn us away are waited for as long as the recipe says.

    Returns how many rows came of lists that were waited for, and what became of the videos.
    """
    ledger, patience_s = shift.ledger, shift.recipe.fetch.patience_s
    last, rows, worked = time.monotonic() + patience_s, 0, Worked()
    while True:
        worked += work_off(shift, is_due(shift.scores, shift.recipe, retry=retry))
        wait_s, retry = seconds_to_next_try(ledger, sources), False
        if worked.no_room or wait_s is None or time.monotonic() + wait_s > last:
            return rows, worked
        time.sleep(wait_s)
        if lists := lists_to_read_again(ledger, sources):
            rows += read_rows(lists, shift.home, shift.recipe, shift.governor)


@task(cache_policy=NO_CACHE)
def decide_windows(home: Home, recipe: Recipe) -> Decided:
    """Decide every window, merge neighbours into clips, find copies among those; opens no file."""
    with home.ledger() as ledger:
        policy = in_force(ledger, recipe.policy)
        decided = decide_all(ledger, policy, merging_of(recipe))
        mark_duplicates(ledger, recipe.dedup)
        fill_classes(ledger, most=policy.most_per_class)
        return replace(decided, clips=clips_by_band(ledger))


@task(cache_policy=NO_CACHE)
def publish_accepted(shift: Shift) -> Publication | None:
    """Cut and publish what the policy accepted; None when that is nothing."""
    shift.ledger.check()
    try:
        return publish_selection(
            shift.ledger,
            Selection.AUTO,
            home=shift.home,
            recipe=shift.recipe,
            workers=shift.workers,
            bring=shift.one_pass.bring(shift.ledger),
            progress=Step("cutting").show,
        )
    except NothingToPublish:
        return None


def _no_room(worked: Worked) -> list[NotRun]:
    """Why not all could be fetched, where the disk's limit ended it."""
    remedy = "raise store.max_gib or free some space, or set store.keep: until_decided, then run it again"
    return [NotRun(what="fetching the rest", why=worked.no_room, command=remedy)] if worked.no_room else []


def _lapsed_calibration(ledger: Ledger, policy: Policy) -> list[NotRun]:
    """The last calibration, where scores have changed since: the recipe's own weights decide until the next."""
    changed = lapsed(ledger, policy)
    why = f"it knows other versions of {', '.join(changed)}"
    return [NotRun(what="the last calibration", why=why, command="clapboard calibrate")] if changed else []


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[step] = round(seconds.get(step, 0.0) + time.perf_counter() - start, 2)
