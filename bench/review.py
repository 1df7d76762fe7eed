"""The review queue under load: many reviewers at once on one server, and what a clip costs the one who waits for it.

Reviewers are threads that ask for clips and answer them over HTTP, each as fast as it can; people are hundreds of times
slower. Previews are not fetched: the browser has them ahead of time.
"""

import argparse
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import httpx
import numpy as np
import uvicorn
from sqlalchemy import func, insert, select

from bench.postgres import binaries, postgres_server
from bench.result import Goal, Result, Row
from curation.decide.policy import Band
from curation.home.folder import Home
from curation.ledger.open import Ledger, open_ledger
from curation.ledger.tables import ClipRow, SourceEntry, VerdictRow, Video
from curation.media.sandbox import MediaWorkers
from curation.media.settings import CutSettings
from curation.review.access import Accounts, add_account
from curation.review.app import create_app
from curation.review.media import CutMedia
from curation.review.queue import enrol
from curation.settings.review import ReviewSettings

CLASSES = 20
WANTED_MS = 50.0
PASSWORD = "of nobody, on loopback"
SETTINGS = ReviewSettings(audit_mix=0, golden_mix=0, double_share=0)
HERE = {"Sec-Fetch-Site": "same-origin"}
ONE_AT_A_TIME = threading.Lock()
"""Fifty people who sign in within a second from one address look like somebody who guesses."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many of what."""
    parser.add_argument("--clips", type=int, default=10_000, help="flagged clips in the queue")
    parser.add_argument("--reviewers", type=int, default=50)
    parser.add_argument("--answers", type=int, default=20, help="answers of each reviewer")
    parser.add_argument("--pause", type=float, default=3.0, help="seconds that a reviewer looks at a clip, on average")


def run(options: argparse.Namespace) -> Result:
    """Load both kinds of ledger."""
    rows: list[Row] = []
    goals: list[Goal] = []
    with tempfile.TemporaryDirectory() as scratch:
        row, found = _loaded(f"sqlite:///{Path(scratch) / 'ledger.sqlite'}", "SQLite", options)
        rows.append(row)
        goals += found
    if binaries():
        with postgres_server() as url:
            row, found = _loaded(url, "PostgreSQL", options)
            rows.append(row)
            goals += found
    notes = [
        f"{options.reviewers} reviewers of {options.answers} answers each on {options.clips} flagged clips",
        "reviewers and server share this machine",
        f"a reviewer looks at a clip for {options.pause} s on average",
    ]
    return Result(rows=rows, goals=goals, notes=notes, packages=("fastapi", "uvicorn", "sqlalchemy"))


def _loaded(url: str, name: str, options: argparse.Namespace) -> tuple[Row, list[Goal]]:
    with open_ledger(url) as ledger:
        _fill(ledger, options.clips)
        enrol(ledger, SETTINGS)
        for number in range(options.reviewers):
            add_account(ledger, f"r{number}", PASSWORD)
        with _served(ledger) as base:
            begun = time.perf_counter()
            # In a process of their own: the server shall not wait for its clients' interpreter.
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as others:
                taken, given = others.submit(_crowd, base, options).result()
            seconds = time.perf_counter() - begun
        with ledger.session() as session:
            kept = session.scalar(select(func.count()).select_from(VerdictRow)) or 0
    expected = options.reviewers * options.answers
    twice = sum(count > 1 for count in given.values())
    next_ms, answer_ms = (np.array(taken[kind]) * 1000 for kind in ("next", "answer"))
    p95 = float(np.quantile(next_ms, 0.95))
    row: Row = {
        "ledger": name,
        "answers": kept,
        "answers/s": round(kept / seconds, 1),
        "next clip, median ms": round(float(np.median(next_ms)), 1),
        "p95 ms": round(p95, 1),
        "answer, median ms": round(float(np.median(answer_ms)), 1),
        "answer, p95 ms": round(float(np.quantile(answer_ms, 0.95)), 1),
    }
    return row, [
        Goal(f"{name}: next clip, 95th percentile", f"<= {WANTED_MS:g} ms", f"{p95:.1f} ms", p95 <= WANTED_MS),
        Goal(f"{name}: answers lost", "0", str(expected - kept), kept == expected),
        Goal(f"{name}: clips given to two", "0", str(twice), twice == 0),
    ]


def _crowd(base: str, options: argparse.Namespace) -> tuple[dict[str, list[float]], Counter[str]]:
    """All reviewers at once: how long their requests took, and how often each clip was given out."""
    with ThreadPoolExecutor(options.reviewers) as pool:
        people = list(pool.map(lambda at: _Reviewer(base, f"r{at}", options, seed=at), range(options.reviewers)))
    taken = {kind: [one for person in people for one in person.taken[kind]] for kind in ("next", "answer")}
    return taken, Counter(clip for person in people for clip in person.clips)


class _Reviewer:
    """One reviewer's session: signs in, then takes a clip, looks, answers."""

    def __init__(self, base: str, name: str, options: argparse.Namespace, *, seed: int) -> None:
        self.taken: dict[str, list[float]] = {"next": [], "answer": []}
        self.clips: list[str] = []
        random = np.random.default_rng(seed)
        with httpx.Client(base_url=base, headers=HERE, timeout=60) as browser:
            with ONE_AT_A_TIME:
                browser.post("/sign-in", json={"name": name, "password": PASSWORD}).raise_for_status()
            page = browser.get("/").text
            browser.headers["X-Clapboard-Token"] = page.split('name="form-token" content="')[1].split('"')[0]
            time.sleep(float(random.uniform(0, options.pause)))
            for _ in range(options.answers):
                clip_id = self._timed("next", lambda: browser.get("/api/next?count=1")).json()["clips"][0]["clip_id"]
                self.clips.append(clip_id)
                time.sleep(float(random.uniform(0, 2 * options.pause)))
                body = {"key": str(uuid.uuid4()), "clip_id": clip_id, "verdict": "accept", "seconds": 1.0}
                self._timed("answer", lambda body=body: browser.post("/api/answers", json=body))  # type: ignore[misc]

    def _timed(self, kind: str, ask: Callable[[], httpx.Response]) -> httpx.Response:
        begun = time.perf_counter()
        response = ask()
        self.taken[kind].append(time.perf_counter() - begun)
        return response.raise_for_status()


@contextmanager
def _served(ledger: Ledger) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as scratch, MediaWorkers(count=1) as workers:
        media = CutMedia(ledger, home=Home(Path(scratch)), settings=CutSettings(), workers=workers)
        app = create_app(ledger, media=media, access=Accounts(ledger), settings=SETTINGS, hosts=("*",))
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", access_log=False))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        server.should_exit = True
        thread.join()


def _fill(ledger: Ledger, count: int) -> None:
    random = np.random.default_rng(0)
    with ledger.session() as session:
        session.add(Video(id="v", link="https://example.org/v", local=False, cuts_us=[]))
        facts = {"table_name": "t", "row": 1, "caption": "a clip", "licence": "", "outcome": "ok", "detail": ""}
        session.execute(
            insert(SourceEntry), [{"id": f"s{at}", "label": f"class {at}", **facts} for at in range(CLASSES)]
        )
        session.flush()
        session.execute(
            insert(ClipRow),
            [
                {
                    "id": f"clip{at:06}", "video_id": "v", "source_id": f"s{at % CLASSES}", "start_us": at * 1000,
                    "end_us": at * 1000 + 3_000_000, "band": Band.REVIEW, "reasons": ["weak_synchrony"], "policy": "p",
                    "p_good": float(random.uniform(0.05, 0.9)), "scores": {"sync": 0.6, "offset_s": 0.01},
                    "audit": False, "current": True, "cut": None, "sound_late_us": 0,
                }
                for at in range(count)
            ],
        )  # fmt: skip
