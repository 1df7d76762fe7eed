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


def card_of(manifest: Mapping[str, Any], index: Any, scores: Sequence[str]) -> str:
    """The text of README.md.

    Args:
        manifest: what snapshot.json says, but for the card's own digest.
        index: `pyarrow.Table` with at least the columns `TOLD`.
        scores: the index's score columns, in order.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    column = {name: index.column(name).to_pylist() for name in TOLD}
    lengths_us = column["duration_us"]
    notes = CardNotes.of(manifest)
    licences = sorted(set(column["licence"]))

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
        head=front_matter(manifest, licences=licences, labelled=any(column["label"]), scores=scores),
        manifest=manifest,
        mebibytes=sum(shard["bytes"] for shard in manifest["shards"]) / 2**20,
        judged=sum(one is not None for one in column["verdict"]),
        by_licence=_counts(column["licence"], lengths_us, lambda one: written(one) or "not stated"),
        by_class=_counts(column["label"], lengths_us, lambda one: written(one) or "none"),
        by_host=_counts(
            column["link"], lengths_us, lambda one: f"`{host}`" if "." in (host := public_host(one)) else host
        ),
        scores=[(name, notes.columns.get(name.removeprefix("score_"), ColumnNote("", ""))) for name in scores],
        policy=notes.policy,
        recipe=hashlib.sha256(json.dumps(manifest["recipe"], sort_keys=True).encode()).hexdigest()[:12],
    )


def written(text: str) -> str:
    """What a stranger wrote, on one line, as Markdown that shows it letter by letter."""
    plain = " ".join(printable(text).split())
    short = plain if len(plain) <= MOST_LETTERS else f"{plain[: MOST_LETTERS - 1]}…"
    return _MARKUP.sub(r"\\\g<0>", short)


def _counts(values: Iterable[str], lengths_us: Iterable[int], name: Callable[[str], str]) -> list[Count]:
    """The largest first, equal ones by name; what does not fit in the table as one line."""
    shown: dict[str, str] = {}
    clips, length_us = Counter[str](), Counter[str]()
    for value, one_us in zip(values, lengths_us, strict=True):
        if value not in shown:
            shown[value] = name(value)
        clips[shown[value]] += 1
        length_us[shown[value]] += one_us
    order = sorted(clips, key=lambda one: (-clips[one], one))
    first, rest = order[:MOST_ROWS], order[MOST_ROWS:]
    rows = [Count(one, clips[one], length_us[one] / 1e6) for one in first]
    if rest:
        others = Count(
            f"{len(rest)} others", sum(clips[one] for one in rest), sum(length_us[one] for one in rest) / 1e6
        )
        rows.append(others)
    return rows
