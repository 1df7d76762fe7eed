"""Two workers with homes of their own share one ledger; one is killed at a moment of chance, and nothing is lost.

Each works videos off as a run of `curate-share` does, with leases of two seconds instead of sixty. What both left is
decided and published by whoever has the turn, and compared byte for byte with what one undisturbed worker publishes.
A video that a worker had finished must not be worked on by the other.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.crash import served
from bench.postgres import binaries, postgres_server
from bench.result import Goal, Result, Row, measurement
from curation.home.folder import Home

LEASE_S = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How often, and on how much."""
    parser.add_argument("--kills", type=int, default=20, help="how often one of two workers is killed")
    parser.add_argument("--films", type=int, default=12, help="drawn films, half of them by link")
    parser.add_argument("--seed", type=int, default=0, help="when it is killed")


def run(options: argparse.Namespace) -> Result:
    """Curate by two workers again and again; each time one of them dies."""
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as scratch, served(Path(scratch), options.films) as table, _ledgers() as ledgers:
        alone = _Place(Path(scratch) / "alone", next(ledgers))
        alone_s = _seconds(alone, table, workers=1)
        wanted = alone.published()
        both = _Place(Path(scratch) / "both", next(ledgers))
        both_s = _seconds(both, table, workers=2)
        bad, twice, lost_s = int(both.published() != wanted), both.done_twice(), list[float]()
        for number in range(options.kills):
            place = _Place(Path(scratch) / f"killed-{number}", next(ledgers))
            lost_s.append(_seconds(place, table, workers=2, kill_after_s=chance.uniform(0.1, both_s)) - both_s)
            bad += place.published() != wanted
            twice += place.done_twice()
        kind = "PostgreSQL" if binaries() else "SQLite"
    rows: list[Row] = [
        {"workers": "1", "seconds": round(alone_s, 1)},
        {"workers": "2", "seconds": round(both_s, 1)},
        {"workers": "2, one is killed", "seconds": round(both_s + sum(lost_s) / len(lost_s), 1)},
    ]
    goals = [
        Goal("snapshots that differ from one worker's", "0", f"{bad} of {options.kills + 1}", bad == 0),
        Goal("videos worked on by the other after one had finished them", "0", str(twice), twice == 0),
        measurement("two workers against one", f"{alone_s / both_s:.2f} times as fast"),
    ]
    notes = [f"{options.films} films; ledger on {kind}; homes apart, cuts shared in a folder; leases of {LEASE_S:g} s"]
    return Result(rows=rows, goals=goals, notes=notes, packages=("sqlalchemy", "av"))


class _Place:
    """Two homes with one ledger, one place for cuts and one for snapshots."""

    def __init__(self, root: Path, ledger: str) -> None:
        self.root = root
        root.mkdir()
        self._ledger = ledger.format(root=root)

    def start(self, table: Path, name: str) -> subprocess.Popen[bytes]:
        """A worker with a home of its own; what it finished is in its log."""
        named = {
            "CLAPBOARD_LEDGER": self._ledger,
            "CLAPBOARD_SNAPSHOTS": str(self.root / "snapshots"),
            "CLAPBOARD_CUTS": str(self.root / "cuts"),
        }
        command = [sys.executable, "-c", "from bench.spread import worker; worker()", str(self.root / name), str(table)]
        with (self.root / f"{name}.log").open("wb") as log:
            return subprocess.Popen(command, stdout=log, env=os.environ | named, start_new_session=True)

    def published(self) -> dict[str, bytes]:
        """Every file of the snapshots."""
        snapshots = self.root / "snapshots"
        files = [path for path in sorted(snapshots.rglob("*")) if path.is_file() and ".staging" not in path.parts]
        return {str(path.relative_to(snapshots)): path.read_bytes() for path in files}

    def done_twice(self) -> int:
        """Videos that were finished more than once."""
        logs = [path.read_text().split() for path in self.root.glob("*.log")]
        return sum(count > 1 for count in Counter(one for log in logs for one in log).values())


def _seconds(place: _Place, table: Path, *, workers: int, kill_after_s: float | None = None) -> float:
    """How long it takes until the last worker is done; the first is killed after a time, if it still runs then."""
    begin = time.perf_counter()
    running = [place.start(table, f"home-{number}") for number in range(workers)]
    timer = threading.Timer(kill_after_s, running[0].kill) if kill_after_s is not None else None
    if timer:
        timer.start()
    codes = [one.wait() for one in running]
    if timer:
        timer.cancel()
    if codes[-1] or (timer is None and any(codes)):
        raise RuntimeError(f"the workers ended with {codes}")
    return time.perf_counter() - begin


@contextmanager
def _ledgers() -> Iterator[Iterator[str]]:
    """URLs of empty ledgers: databases of a PostgreSQL server, or files where that is not installed."""
    if binaries() is None:
        yield iter(lambda: "sqlite:///{root}/ledger.sqlite", "")
        return
    from sqlalchemy import create_engine, make_url, text

    with postgres_server() as url:
        engine = create_engine(url, isolation_level="AUTOCOMMIT")

        def databases() -> Iterator[str]:
            number = 0
            while True:
                number += 1
                with engine.connect() as connection:
                    connection.execute(text(f"CREATE DATABASE ledger_{number}"))
                yield make_url(url).set(database=f"ledger_{number}").render_as_string(hide_password=False)

        yield databases()
        engine.dispose()


def worker() -> None:
    """What a run with one decoder does, without a scheduler around it; prints each video that it finished."""
    from sqlalchemy import and_

    from curation.decide.apply import decide_all
    from curation.dedup.ledger import mark_duplicates
    from curation.encoders.semantics import Semantics
    from curation.fetch.settings import FetchSettings
    from curation.ledger.leases import kept_up, new_holder, turn, wait_for_others, was_abandoned
    from curation.media.sandbox import MediaWorkers
    from curation.scores.registry import build
    from curation.settings.recipe import Recipe
    from curation.sources.read import iter_sources
    from curation.steps.due import is_due
    from curation.steps.ingest import register
    from curation.steps.one_pass import Claims, OnePass, merging_of
    from curation.steps.politeness import governor_of
    from curation.steps.publish import Selection, publish_selection

    home, table, holder = Home(Path(sys.argv[1])), sys.argv[2], new_holder()
    recipe = Recipe(fetch=FetchSettings(allow_loopback=True, retries=0), scores=["motion", "loudness", "sync"])
    recipe = recipe.model_copy(update={"policy": recipe.policy.model_copy(update={"accept_all": True})})
    scores, merging = build(recipe.scores), merging_of(recipe)
    with (
        home.ledger() as ledger,
        MediaWorkers(count=1) as workers,
        kept_up(ledger, holder, every_s=LEASE_S / 6, lease_s=LEASE_S),
    ):
        register(ledger, iter_sources([table]))
        one_pass = OnePass(
            home, recipe, policy=recipe.policy, scores=scores, semantics=Semantics(recipe.semantics), workers=workers,
            governor=governor_of(ledger, recipe.fetch),
        )  # fmt: skip

        def work(due: object) -> None:
            claims = _Told(ledger, due, holder=holder, lease_s=LEASE_S)  # type: ignore[arg-type]
            one_pass.work(claims, told=lambda *_: None)

        class _Told(Claims):
            def done(self, video_id: str) -> None:
                print(video_id, flush=True)
                super().done(video_id)

        work(is_due(scores, recipe))
        with turn(ledger, "publish", holder, lease_s=LEASE_S):
            wait_for_others(ledger, holder)
            work(and_(was_abandoned(), is_due(scores, recipe)))
            decide_all(ledger, recipe.policy, merging)
            mark_duplicates(ledger, recipe.dedup)
            publish_selection(ledger, Selection.AUTO, home=home, recipe=recipe, workers=workers)
