"""The log of take-downs: what was demanded, and what was done about it. Lines are only ever added.

A demand is written down before anything is done about it, and what is done to a name before it is done. Who dies in
between leaves a demand that is open, and the same demand again finishes it. In a folder lines are appended to
`takedowns.jsonl`; an object store cannot append, so there each line is an object of its own below `.takedowns/`.
"""

import hashlib
import json
import os
import socket
import time
import uuid
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from shards.files import append_line, is_alive
from shards.snapshot import is_remote, reaching

LOG, LINES = "takedowns.jsonl", ".takedowns"


@dataclass(frozen=True, slots=True)
class Demand:
    """That `items` (keys, video ids or links) leave all snapshots; the same items for the same reason are the same.

    `openings` are its lines that nobody has finished yet, `by` the process (HOST@PID) that wrote the last of them.
    """

    id: str
    items: tuple[str, ...]
    reason: str
    at: str
    openings: tuple[str, ...]
    by: str

    @property
    def in_hand(self) -> bool:
        """Whether a living process of this machine is at it."""
        host, _, pid = self.by.rpartition("@")
        return host == socket.gethostname() and is_alive(int(pid))


@dataclass(frozen=True, slots=True)
class TakenDown:
    """What one take-down did to one name: the versions withdrawn, their successor, and the bytes written for it."""

    name: str
    keys: tuple[str, ...]
    withdrawn: tuple[str, ...]
    successor: str | None
    written_bytes: int

    def and_then(self, later: "TakenDown") -> "TakenDown":
        """Both as one: a take-down that took two attempts is one all the same."""
        keys = tuple(sorted({*self.keys, *later.keys}))
        withdrawn = tuple(dict.fromkeys((*self.withdrawn, *later.withdrawn)))
        written = self.written_bytes + later.written_bytes
        return TakenDown(self.name, keys, withdrawn, later.successor, written)


def demanded(root: Path, items: Collection[str], *, reason: str, at: datetime) -> Demand:
    """Write a demand down, and return it; the same one that is open already is not written twice."""
    wanted = tuple(sorted(set(items)))
    key = hashlib.sha256(json.dumps([wanted, reason]).encode()).hexdigest()[:16]
    for known in open_demands(root):
        if known.id == key:
            return known
    opening, by = uuid.uuid4().hex, f"{socket.gethostname()}@{os.getpid()}"
    _add(
        root,
        {"demand": key, "opening": opening, "at": at.isoformat(), "reason": reason, "items": list(wanted), "by": by},
    )
    return Demand(key, wanted, reason, at.isoformat(), (opening,), by)


def note(root: Path, demand: Demand, done: TakenDown) -> None:
    """Write down what is about to be done to a name."""
    _add(root, {"demand": demand.id, "at": demand.at, "reason": demand.reason} | _told(done))


def finish(root: Path, demand: Demand) -> None:
    """Write down that nothing is left to do."""
    _add(root, {"demand": demand.id, "finished": list(demand.openings)})


def open_demands(root: Path) -> list[Demand]:
    """The demands that nobody has finished, oldest first."""
    lines = list(_lines(root))
    finished = {opening for line in lines for opening in line.get("finished", ())}
    found: dict[str, Demand] = {}
    for line in lines:
        if "opening" in line and line["opening"] not in finished:
            older = found.get(line["demand"])
            openings = (*(older.openings if older else ()), line["opening"])
            items, at = tuple(line["items"]), older.at if older else line["at"]
            found[line["demand"]] = Demand(line["demand"], items, line["reason"], at, openings, line["by"])
    return list(found.values())


def every_demand(root: Path) -> list[Demand]:
    """All demands ever written down, finished or not, oldest first; one that was repeated is told once."""
    found: dict[str, Demand] = {}
    for line in _lines(root):
        if "opening" in line:
            items = tuple(line["items"])
            found.setdefault(
                line["demand"],
                Demand(line["demand"], items, line["reason"], line["at"], (line["opening"],), line["by"]),
            )
    return list(found.values())


def log_bytes(root: Path) -> bytes:
    """The log as `takedowns.jsonl` has it, wherever it lies; empty where there is none."""
    return b"".join(json.dumps(line).encode() + b"\n" for line in _lines(root))


def results(root: Path, demand: Demand) -> list[TakenDown]:
    """What was done about a demand, by whoever did it; one result for each name that held any of it."""
    return [_taken(line) for line in _merged(root) if line.get("demand") == demand.id]


def log(root: Path) -> list[dict[str, Any]]:
    """What was taken down from the snapshots of `root`, oldest first; one entry for each demand and name."""
    told = ("at", "reason", *(one.name for one in fields(TakenDown)))
    return [{name: line[name] for name in told} for line in _merged(root)]


def _merged(root: Path) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for number, line in enumerate(_lines(root)):
        if "withdrawn" not in line:
            continue
        # Lines of before there were demands stand for themselves.
        key = line.get("demand", str(number)), line["name"]
        older = found.get(key)
        found[key] = line if older is None else older | _told(_taken(older).and_then(_taken(line)))
    return list(found.values())


def _told(done: TakenDown) -> dict[str, Any]:
    """As JSON has it."""
    return asdict(done) | {"keys": list(done.keys), "withdrawn": list(done.withdrawn)}


def _taken(line: dict[str, Any]) -> TakenDown:
    told = {one.name: line[one.name] for one in fields(TakenDown)}
    return TakenDown(**told | {name: tuple(told[name]) for name in ("keys", "withdrawn")})


def _lines(root: Path) -> Iterator[dict[str, Any]]:
    with reaching(root):
        texts = (root / LOG).read_text(encoding="utf-8").splitlines() if (root / LOG).is_file() else []
        if is_remote(root) and (root / LINES).is_dir():
            texts += [path.read_text(encoding="utf-8") for path in sorted((root / LINES).iterdir(), key=str)]
    for text in texts:
        # Half a line is left where a machine failed while it was written, and nothing had been done about it yet.
        with suppress(ValueError):
            line = json.loads(text)
            if isinstance(line, dict):
                yield line


def _add(root: Path, line: dict[str, Any]) -> None:
    data = json.dumps(line).encode()
    with reaching(root):
        if is_remote(root):
            (root / LINES / f"{time.time_ns():020d}-{uuid.uuid4().hex}.json").write_bytes(data)
            root.fs.invalidate_cache()  # type: ignore[attr-defined]
        else:
            root.mkdir(parents=True, exist_ok=True)
            append_line(root / LOG, data)
