"""What `clapboard up` runs, and the command of each part."""

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from curation.home.folder import Home


class Part(StrEnum):
    """A part that runs on its own: on one machine with the others, or on a machine of its own."""

    SERVER = "server"
    CURATION = "curation"
    TRAINING = "training"
    REVIEW = "review"


WORKERS = (Part.CURATION, Part.TRAINING)
"""Each works for the pool of its name."""

RUNS_AT_ONCE = {Part.TRAINING: 1}
"""Training takes the whole GPU; the other pool's deployments hold themselves to one run each."""

GROUPS: dict[str, tuple[Part, ...]] = {"workers": WORKERS} | {part.value: (part,) for part in Part}
"""What `--only` takes."""


def parts_of(only: Sequence[str]) -> tuple[Part, ...]:
    """The parts that `--only` names, all of them where it names none.

    Raises:
        BadInput: there is no such part.
    """
    from shards.errors import BadInput

    if unknown := [one for one in only if one not in GROUPS]:
        raise BadInput(f"there is no part {unknown[0]!r}", remedy=f"--only takes one of: {', '.join(GROUPS)}")
    named = {part for one in only for part in GROUPS[one]}
    return tuple(part for part in Part if part in named or not only)


def worker_command(part: Part, name: str) -> list[str]:
    """A Prefect worker for the pool of that name."""
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", part, "--type", "process", "--name", name]
    return command + (["--limit", str(RUNS_AT_ONCE[part])] if part in RUNS_AT_ONCE else [])


def review_command(home: Home, *, host: str, port: int) -> list[str]:
    """The review page, at a port that stays when it is started again."""
    command = [sys.executable, "-m", "flows.cli", "review", "serve", "--home", str(home.root)]
    return [*command, "--host", host, "--port", str(port)]


def log_of(home: Home, part: Part) -> Path:
    """Where a part writes its words."""
    return home.prefect / "server.log" if part is Part.SERVER else home.root / "up" / f"{part}.log"
