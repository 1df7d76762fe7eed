"""The record of votes: lines of JSON that are only ever added to, each on the disk before its voter sees the next pair.

A vote tells all that counting needs. An answer that is sent twice counts once; one taken back stays on record.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from threading import Lock
from typing import Any

from flows.evaluation.voting.pairs import Kind, Maker, Trial
from shards.errors import BadInput
from shards.files import append_line

RECORD = "votes.jsonl"


class Choice(StrEnum):
    """What a voter may say of a pair."""

    LEFT = "left"
    RIGHT = "right"
    SAME = "same"
    UNSEEN = "unseen"
    """The browser could not play it."""


@dataclass(frozen=True, slots=True)
class Vote:
    """An answer that stands; `key` names it, `number` counts a voter's pairs from 0."""

    key: str
    voter: str
    number: int
    trial: Trial
    choice: Choice
    seconds: float

    @property
    def chosen(self) -> Maker | None:
        """Whose film was said to be better; None of no difference."""
        if self.choice is Choice.LEFT:
            return self.trial.left
        return self.trial.right if self.choice is Choice.RIGHT else None


class Votes:
    """All votes of a study; several processes may add to the same file."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / RECORD
        self._lock = Lock()

    def standing(self) -> list[Vote]:
        """The votes that count, by voter and number."""
        return _standing(self._lines())

    def add(self, vote: Vote) -> None:
        """Write a vote down; nothing happens if it was before.

        Raises:
            BadInput: this voter's question was answered already, by another vote.
        """
        with self._lock:
            lines = self._lines()
            if any(line.get("vote") == vote.key for line in lines):
                return
            if any((one.voter, one.number) == (vote.voter, vote.number) for one in _standing(lines)):
                raise BadInput("this pair has an answer already", remedy="reload the page")
            trial = vote.trial
            self._append(
                {
                    "vote": vote.key, "voter": vote.voter, "number": vote.number, "kind": trial.kind,
                    "clip": trial.clip, "left": trial.left, "right": trial.right, "choice": vote.choice,
                    "seconds": vote.seconds,
                }
            )  # fmt: skip

    def take_back(self, key: str, *, voter: str, number: int) -> None:
        """Take a voter's answer to a question back; nothing happens if `key` did so before, or there is none."""
        with self._lock:
            lines = self._lines()
            found = [one for one in _standing(lines) if (one.voter, one.number) == (voter, number)]
            if found and not any(line.get("undo") == key for line in lines):
                self._append({"undo": key, "voter": voter, "of": found[0].key})

    def _lines(self) -> list[dict[str, Any]]:
        if not self._path.is_file():
            return []
        found = [_read(line) for line in self._path.read_text(encoding="utf-8").splitlines()]
        return [line for line in found if line is not None]

    def _append(self, line: dict[str, object]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        append_line(self._path, json.dumps(line | {"at": datetime.now(UTC).isoformat(timespec="seconds")}).encode())


def _read(line: str) -> dict[str, Any] | None:
    """A line's fields; None of one that a machine that failed left half."""
    try:
        found = json.loads(line)
    except json.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _standing(lines: Sequence[dict[str, Any]]) -> list[Vote]:
    taken_back = {line["of"] for line in lines if "undo" in line}
    found: dict[tuple[str, int], Vote] = {}
    for line in lines:
        if "vote" in line and line["vote"] not in taken_back:
            found.setdefault((line["voter"], line["number"]), _vote(line))
    return [found[key] for key in sorted(found)]


def _vote(line: dict[str, Any]) -> Vote:
    trial = Trial(Kind(line["kind"]), line["clip"], Maker(line["left"]), Maker(line["right"]))
    return Vote(line["vote"], line["voter"], line["number"], trial, Choice(line["choice"]), line["seconds"])
