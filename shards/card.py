"""The card of a snapshot: a README.md that the Hugging Face hub reads as a dataset card, and a person as a page.

All in it comes from the manifest and the index, so the same snapshot gets the same bytes. What strangers wrote
(classes, licences) is escaped, links are told by their hosts alone.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

from shards.card_head import front_matter
from shards.hosts import public_host
from shards.words import printable

CARD = "README.md"
TOLD = ("licence", "label", "link", "verdict", "duration_us")
"""Columns of the index that a card is made of."""

MOST_ROWS, MOST_LETTERS = 50, 80
_MARKUP = re.compile(r"""[!"#$%&()*+./:;<=>?@\[\\\]^_`{|}~]""")


@dataclass(frozen=True, slots=True)
class ColumnNote:
    """What a score's column means, and what it is worth."""

    means: str
    worth: str


@dataclass(frozen=True, slots=True)
class CardNotes:
    """What a card tells besides the clips: the digest of the policy in force, words on score columns by name."""

    policy: str = ""
    columns: Mapping[str, ColumnNote] = field(default_factory=dict)

    def told(self, scores: Iterable[str]) -> dict[str, Any]:
        """As a manifest has it, with the words on these index columns ("score_NAME") alone."""
        there = {name.removeprefix("score_") for name in scores}
        columns = {name: asdict(note) for name, note in sorted(self.columns.items()) if name in there}
        return {"policy": self.policy, "columns": columns}

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> "CardNotes":
        """The notes again; of a manifest of before there were cards, none."""
        told = manifest.get("notes") or {"policy": "", "columns": {}}
        return cls(told["policy"], {name: ColumnNote(**note) for name, note in told["columns"].items()})


@dataclass(frozen=True, slots=True)
class Count:
    """A line of a table: how many clips, and how many seconds of them."""

    name: str
    clips: int
    seconds: float


def card_of(manifest: Mapping[str, Any], told: "Told", scores: Sequence[str]) -> str:
    """The text of README.md.

    Args:
        manifest: what snapshot.json says, but for the card's own digest.
        told: what the index says.
        scores: the index's score columns, in order.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    notes = CardNotes.of(manifest)

    environment = Environment(
        loader=PackageLoader("shards"),
        undefined=StrictUndefined,
        autoescape=False,  # it is Markdown; `written` escapes what strangers wrote
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["number"] = "{:,}".format
    return environment.get_template("card.md.j2").render(
        head=front_matter(manifest, licences=sorted(told.licences), labelled=told.labelled, scores=scores),
        manifest=manifest,
        mebibytes=sum(shard["bytes"] for shard in manifest["shards"]) / 2**20,
        judged=told.judged,
        by_licence=told.by_licence.largest(),
        by_class=told.by_class.largest(),
        by_host=told.by_host.largest(),
        scores=[(name, notes.columns.get(name.removeprefix("score_"), ColumnNote("", ""))) for name in scores],
        policy=notes.policy,
        recipe=hashlib.sha256(json.dumps(manifest["recipe"], sort_keys=True).encode()).hexdigest()[:12],
    )


def written(text: str) -> str:
    """What a stranger wrote, on one line, as Markdown that shows it letter by letter."""
    plain = " ".join(printable(text).split())
    short = plain if len(plain) <= MOST_LETTERS else f"{plain[: MOST_LETTERS - 1]}…"
    return _MARKUP.sub(r"\\\g<0>", short)


class _Tally:
    """Clips and their length by a name, into which what the index says is put."""

    def __init__(self, name: Callable[[str], str]) -> None:
        # Few classes and licences are very many clips'; links differ.
        self._name = lru_cache(maxsize=4096)(name)
        self._clips, self._length_us = Counter[str](), Counter[str]()

    def add(self, values: Iterable[str], lengths_us: Iterable[int]) -> None:
        """Count clips."""
        for value, length_us in zip(values, lengths_us, strict=True):
            shown = self._name(value)
            self._clips[shown] += 1
            self._length_us[shown] += length_us

    def largest(self) -> list[Count]:
        """The largest first, equal ones by name; what does not fit in the table as one line."""
        clips, length_us = self._clips, self._length_us
        order = sorted(clips, key=lambda one: (-clips[one], one))
        first, rest = order[:MOST_ROWS], order[MOST_ROWS:]
        rows = [Count(one, clips[one], length_us[one] / 1e6) for one in first]
        if rest:
            others = sum(clips[one] for one in rest), sum(length_us[one] for one in rest) / 1e6
            rows.append(Count(f"{len(rest)} others", *others))
        return rows


@dataclass(slots=True)
class Told:
    """What a card tells of an index, of which some rows are added at a time.

    Memory grows with the licences, classes and hosts that there are, not with the clips.
    """

    licences: set[str] = field(default_factory=set)
    labelled: bool = False
    judged: int = 0
    by_licence: _Tally = field(default_factory=lambda: _Tally(lambda one: written(one) or "not stated"))
    by_class: _Tally = field(default_factory=lambda: _Tally(lambda one: written(one) or "none"))
    by_host: _Tally = field(
        default_factory=lambda: _Tally(lambda one: f"`{host}`" if "." in (host := public_host(one)) else host)
    )

    def add(self, rows: Any) -> None:
        """Rows as a `pyarrow.Table` that has at least the columns `TOLD`."""
        self.add_columns({name: rows.column(name).to_pylist() for name in TOLD})

    def add_columns(self, column: Mapping[str, Sequence[Any]]) -> None:
        """The columns `TOLD` of rows."""
        self.licences.update(column["licence"])
        self.labelled = self.labelled or any(column["label"])
        self.judged += sum(one is not None for one in column["verdict"])
        for name, tally in (("licence", self.by_licence), ("label", self.by_class), ("link", self.by_host)):
            tally.add(column[name], column["duration_us"])
