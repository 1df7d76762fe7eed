"""How long do a million windows take: deciding them all anew, the story of one item, the funnel?

The ledger is made on the spot: videos of 50 windows, three scores each, numbers drawn by seed. Nothing is decoded.
"""

import argparse
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from bench.result import Goal, Result, Row
from curation.accounting.explain import explain
from curation.accounting.funnel import funnel
from curation.clips import clip_id
from curation.decide.apply import Merging, decide_all
from curation.decide.policy import Policy
from curation.ledger.open import Ledger, open_ledger
from curation.ledger.tables import ScoreRow, SourceEntry, Video, WindowRow
from curation.outcomes import Outcome
from curation.scores.registry import build
from curation.settings.recipe import Recipe
from curation.steps.measure import videos_to_measure

WINDOWS_PER_VIDEO = 50
DECIDE_GOAL_S = 60.0
EXPLAIN_GOAL_MS = 100.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What this benchmark can be told."""
    parser.add_argument("--rows", type=int, default=1_000_000, help="windows in the ledger")
    parser.add_argument("--url", help="SQLAlchemy URL of an empty database; default: SQLite in a temporary folder")
    parser.add_argument("--postgres", action="store_true", help="start a PostgreSQL of this machine and use it")


def run(arguments: argparse.Namespace) -> Result:
    """Fill a ledger and time what is asked of it."""
    with _database(arguments) as url, open_ledger(url) as ledger:
        filled = _seconds(lambda: fill(ledger, arguments.rows))
        rows = [_row("fill", filled, arguments.rows), *_timed(ledger, arguments.rows)]
        kind = ledger.engine.dialect.name
    took = {str(row["what"]): float(row["seconds"] or 0) for row in rows}
    decide_s, explain_ms = took["decide under another policy"], 1000 * took["explain a clip"]
    goals = [
        Goal(f"re-decide {arguments.rows:,} windows ({kind})", "< 60 s", f"{decide_s:.1f} s", decide_s < DECIDE_GOAL_S),
        Goal(f"explain at that size ({kind})", "< 100 ms", f"{explain_ms:.1f} ms", explain_ms < EXPLAIN_GOAL_MS),
    ]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Result(rows, goals, [f"Peak memory of the process: {peak:.0f} MiB."], packages=("sqlalchemy", "psycopg"))


def fill(ledger: Ledger, windows: int, *, seed: int = 0) -> None:
    """Write videos, windows and scores as measuring would, in ledger-sized batches."""
    random_ = random.Random(seed)
    key = Recipe().measuring_key()
    for first in range(0, windows // WINDOWS_PER_VIDEO, 200):
        videos = range(first, min(first + 200, windows // WINDOWS_PER_VIDEO))
        rows = [row for number in videos for row in _video_rows(number, key, random_)]
        with ledger.session() as session:
            for table in (Video, SourceEntry, WindowRow, ScoreRow):
                session.execute(insert(table.__table__), [row for kind, row in rows if kind is table])  # type: ignore[arg-type]


def _video_rows(number: int, key: str, random_: random.Random) -> Iterator[tuple[type, dict[str, Any]]]:
    video = f"{random_.getrandbits(80):020x}"
    link = f"https://example.org/{number}.mp4"
    yield Video, {
        "id": video, "link": link, "local": False, "fetch": "ok", "fetch_detail": "", "analysis": "ok",
        "analysis_detail": "", "analysis_key": key, "duration_us": 28_000_000, "cuts_us": [], "sha256": video,
    }  # fmt: skip
    source = f"{random_.getrandbits(80):020x}"
    yield SourceEntry, {
        "id": source, "table_name": "list.csv", "row": number, "video_id": video, "caption": "a drum", "label": "drum",
        "licence": "CC-BY-4.0", "outcome": "ok", "detail": "", "proposal": Outcome.OK.value,
    }  # fmt: skip
    good = random_.random() < 0.5
    for position in range(WINDOWS_PER_VIDEO):
        start = position * 500_000
        window = clip_id(video, start, start + 3_000_000)
        yield WindowRow, {
            "id": window, "video_id": video, "source_id": source, "shot": position // 25,
            "start_us": start, "end_us": start + 3_000_000, "crosses_cut": position % 25 > 19,
        }  # fmt: skip
        for name, version, columns in _scores(random_, good=good):
            yield ScoreRow, {"window_id": window, "name": name, "version": version, "columns": columns}


def _scores(random_: random.Random, *, good: bool) -> Iterator[tuple[str, int, dict[str, float]]]:
    agreement = random_.betavariate(8, 2) if good else random_.betavariate(2, 5)
    told = ("sync", "sync_at_zero", "p_in_sync", "sync_confidence", "sync_worst")
    values = dict.fromkeys(told, agreement) | {"offset_s": 0.0}
    for score in build(["motion", "loudness", "sync"]):
        yield score.name, score.version, {name: values.get(name, random_.uniform(0.02, 0.1)) for name in score.columns}


def _timed(ledger: Ledger, windows: int) -> Iterator[Row]:
    scores = build(["motion", "loudness", "sync"])
    for what, policy in (
        ("decide for the first time", Policy()),
        ("decide under another policy", Policy(accept_at=0.8)),
    ):
        yield _row(what, _seconds(lambda policy=policy: decide(ledger, policy)), windows)  # type: ignore[misc]
    with ledger.session() as session:
        middle = session.query(WindowRow.id).filter(WindowRow.start_us == 5_000_000).first()
    yield _row("explain a clip", min(_seconds(lambda: explain(ledger, middle[0])) for _ in range(5)), 1)  # type: ignore[index]
    yield _row("funnel", _seconds(lambda: funnel(ledger)), windows)
    yield _row(
        "look for videos that lack a score",
        _seconds(lambda: videos_to_measure(ledger, scores, recipe=Recipe())),
        windows,
    )


def decide(ledger: Ledger, policy: Policy) -> None:
    """Re-decide as a curation run does."""
    decide_all(ledger, policy, Merging(max_clip_us=10_000_000, audit_share=0.1))


@contextmanager
def _database(arguments: argparse.Namespace) -> Iterator[str]:
    if arguments.url:
        yield arguments.url
    elif arguments.postgres:
        from bench.postgres import postgres_server

        with postgres_server() as url:
            yield url
    else:
        with tempfile.TemporaryDirectory(prefix="clapboard-bench-") as folder:
            yield f"sqlite:///{Path(folder) / 'ledger.sqlite'}"


def _row(what: str, seconds: float, items: int) -> Row:
    return {
        "what": what,
        "seconds": round(seconds, 4),
        "windows": items,
        "windows_per_s": round(items / max(seconds, 1e-9)),
    }


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
