"""The run: a server process, two at a time, all hostile answers and the good videos in one mixed order."""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.hostile import good
from bench.hostile.answers import cases
from bench.hostile.case import Case
from bench.hostile.watching import Connections, Memory, adopt_orphans, children
from bench.result import Goal, Result, Row
from curation.fetch.cage import CAGES
from curation.fetch.download import fetch
from curation.fetch.failures import FetchFailure
from curation.fetch.listing import files_at
from curation.fetch.settings import FetchSettings
from curation.outcomes import Outcome
from curation.sources.base import RowFault, SourceRow
from curation.sources.lists import read_list

BEYOND_S = 2.0
"""How long after its deadline a fetch may end."""

GROWTH_MIB = 200
GOOD_DEADLINE_S = 120.0
MOST_LISTED = 1000
GOOD = "good videos"


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of one link: `beyond_s` after its deadline, below 0 before it; `well` if it is what may come of it."""

    kind: str
    name: str
    outcome: str
    beyond_s: float
    well: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How much."""
    parser.add_argument("--seed", type=int, default=1, help="another one varies sizes, places and order")
    parser.add_argument("--share", type=float, default=1.0, help="the share of hostile answers that is drawn")
    parser.add_argument("--good", type=int, default=20, help="good videos between them")
    parser.add_argument("--kind", default="", help="only answers whose kind holds this word")
    parser.add_argument("--workers", type=int, default=2, help="fetches at once")
    parser.add_argument("--deadline-s", type=float, default=5.0, help="of a hostile answer")
    parser.add_argument("--verbose", action="store_true", help="a line for each answer")


def run(options: argparse.Namespace) -> Result:
    """Fetch all, and look at what happens meanwhile."""
    adopt_orphans()
    CAGES.close()
    connections, hostile = Connections(), cases(options.seed)
    with tempfile.TemporaryDirectory(prefix="clapboard-hostile-") as name:
        folder = Path(name)
        links = good.make(folder / "good", options.good)
        with _served(options.seed, folder / "good") as port, Memory().watched() as memory:
            before = children()
            seen = _fetched(options, hostile, links, f"http://127.0.0.1:{port}", folder)
            CAGES.close()
            survivors = children() - before
    foreign = sorted(f"{host}:{its}" for host, its in connections.to if (host, its) != ("127.0.0.1", port))
    goals = _goals(seen, memory.grown_mib, survivors, foreign)
    notes = [
        f"not well: {one.kind}, {one.name}: {one.outcome}, {one.beyond_s:+.1f} s"
        for one in seen
        if not one.well or one.beyond_s >= BEYOND_S
    ]
    if foreign:
        notes.append(f"other addresses: {', '.join(foreign)}")
    notes.append(f"a deadline of {options.deadline_s:g} s for each hostile answer, {options.workers} at once")
    return Result(rows=_rows(seen), goals=goals, notes=notes, packages=("yt-dlp", "pycryptodomex"))


def _fetched(
    options: argparse.Namespace, hostile: Sequence[Case], links: Sequence[str], base: str, folder: Path
) -> list[Seen]:
    chance = random.Random(options.seed)
    bad = [
        (number, case)
        for number, case in enumerate(hostile)
        if chance.random() < options.share and options.kind in case.kind
    ]
    into = folder / "videos"
    into.mkdir()
    tasks = [lambda n=number, c=case: _hostile(c, f"{base}/{n}/{c.entry}", n, into, options) for number, case in bad]
    tasks += [lambda n=number, at=at: _good(f"{base}/good/{at}", n, into) for number, at in enumerate(links)]
    chance.shuffle(tasks)
    with ThreadPoolExecutor(options.workers) as threads:
        return list(threads.map(lambda task: task(), tasks))


def _good(link: str, number: int, into: Path) -> Seen:
    settings = FetchSettings(allow_loopback=True, deadline_s=GOOD_DEADLINE_S)
    try:
        fetch(link, into=into, name=f"good-{number}", settings=settings)
    except FetchFailure as failure:
        return Seen(GOOD, link, f"{failure.outcome}: {failure.detail}", 0.0, well=False)
    return Seen(GOOD, link, Outcome.OK, 0.0, well=True)


def _hostile(case: Case, link: str, number: int, into: Path, options: argparse.Namespace) -> Seen:
    usual = {"allow_loopback": True, "timeout_s": 3.0, "retries": 0, "deadline_s": options.deadline_s}
    settings = FetchSettings.model_validate(usual | {"max_bytes": 50_000_000} | dict(case.settings))
    begun, detail = time.perf_counter(), ""
    try:
        outcome, well = Outcome.OK, _came(case, link, f"bad-{number}", into, settings)
    except FetchFailure as failure:
        outcome, well, detail = failure.outcome, True, failure.detail
    except Exception as error:
        outcome, well, detail = f"{type(error).__name__}: {error}"[:200], False, ""  # type: ignore[assignment]
    beyond_s = time.perf_counter() - begun - options.deadline_s
    if options.verbose:
        print(
            f"{case.kind}: {case.name[:60]}: {outcome}, {beyond_s:+.1f} s, {detail[:90]}", file=sys.stderr, flush=True
        )
    return Seen(case.kind, case.name, outcome, beyond_s, well)


def _came(case: Case, link: str, name: str, into: Path, settings: FetchSettings) -> bool:
    """Whether what came may come of it."""
    if case.asked == "list":
        found = list(read_list(f"list:{link}", settings, most=MOST_LISTED))
        if found and isinstance(found[0], RowFault) and found[0].row == 0:
            raise FetchFailure(found[0].outcome, found[0].detail)
        links = [one.link for one in found if isinstance(one, SourceRow) and one.link]
        return case.may_arrive and all(one.startswith("http://127.0.0.1") for one in links)
    if case.asked == "folder":
        return case.may_arrive and all(one.startswith(link) for one in files_at(link, settings, most=MOST_LISTED))
    got = fetch(link, into=into, name=name, settings=settings)
    return case.may_arrive and (case.wanted is None or got.path.read_bytes() == case.wanted())


def _rows(seen: Sequence[Seen]) -> list[Row]:
    rows: list[Row] = []
    for kind in dict.fromkeys(sorted(one.kind for one in seen)):
        of_kind = [one for one in seen if one.kind == kind]
        outcomes = Counter(one.outcome for one in of_kind)
        rows.append(
            {
                "kind": kind,
                "links": len(of_kind),
                "well": sum(one.well for one in of_kind),
                "latest_s": None if kind == GOOD else round(max(one.beyond_s for one in of_kind), 1),
                "outcomes": ", ".join(f"{name} {count}" for name, count in outcomes.most_common()),
            }
        )
    return rows


def _goals(seen: Sequence[Seen], grown_mib: float, survivors: set[int], foreign: Sequence[str]) -> list[Goal]:
    fine = [one for one in seen if one.kind == GOOD]
    bad = [one for one in seen if one.kind != GOOD]
    arrived, typed = sum(one.well for one in fine), sum(one.well for one in bad)
    latest = max((one.beyond_s for one in bad), default=0.0)
    return [
        Goal("good videos that arrived", str(len(fine)), str(arrived), arrived == len(fine)),
        Goal("hostile answers with a typed outcome", str(len(bad)), str(typed), typed == len(bad)),
        Goal("latest end, after its deadline", f"< {BEYOND_S:g} s", f"{latest:+.1f} s", latest < BEYOND_S),
        Goal("growth of this process", f"< {GROWTH_MIB} MiB", f"{grown_mib:.0f} MiB", grown_mib < GROWTH_MIB),
        Goal("processes that survived", "0", str(len(survivors)), not survivors),
        Goal("other addresses connected to", "0", str(len(foreign)), not foreign),
    ]


@contextmanager
def _served(seed: int, folder: Path) -> Iterator[int]:
    command = [sys.executable, "-m", "bench.hostile.server", str(seed), str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin and server.stdout
        try:
            yield int(server.stdout.readline())
        finally:
            server.stdin.close()
            server.wait(timeout=30)
