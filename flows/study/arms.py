"""The arms of a study: what each learns from, and what else is changed."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from flows.study.settings import StudySettings
from training.settings.options import SiteChoice


class Data(StrEnum):
    """What may be learnt from."""

    RAW = "raw"
    """The crawl with all that decodes."""

    AUTO = "auto"
    """The crawl as our curation leaves it."""

    ORACLE = "oracle"
    """Those films of the crawl that are in sync, by their known labels."""

    CURATED = "curated"
    """What reviewers accepted of another part of the crawl."""


class Group(StrEnum):
    """What an arm is for."""

    CURATED_ONLY = "curated alone"
    CRAWL_ONLY = "the crawl alone"
    TWO_STAGES = "two stages"
    ABLATION = "ablation"


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to train. All take the same steps, first at the rate of stage one, then at the falling one of stage two.

    Attributes:
        name: in tables and files.
        group: what it is for.
        one, two: what is learnt from, first and then.
        share: of the curated films, wherever they are learnt from.
        changes: settings of both stages that an ablation changes.
        changes_two: of the second alone.
    """

    name: str
    group: Group
    one: Data
    two: Data
    share: float = 1.0
    changes: dict[str, Any] = field(default_factory=dict)
    changes_two: dict[str, Any] = field(default_factory=dict)

    @property
    def curated_share(self) -> float:
        """Share of the curated films that it has seen."""
        return self.share if Data.CURATED in (self.one, self.two) else 0.0


ABLATED_SHARE = 0.1
REPLAYED = 0.5
OWN_COLUMN, RADII_S = 0.0, (0.1, 0.2, 0.5)


def arms(settings: StudySettings) -> Iterator[Arm]:
    """Every arm of a study, those that answer its question first."""
    for share in reversed(settings.one_stage_shares):
        yield Arm(f"curated {share:.0%}", Group.CURATED_ONLY, Data.CURATED, Data.CURATED, share)
    for data in (Data.AUTO, Data.RAW, Data.ORACLE):
        yield Arm(data, Group.CRAWL_ONLY, data, data)
    for share in reversed(settings.two_stage_shares):
        yield two_stages(Data.AUTO, share)
    if settings.ablations:
        yield from _ablations()


def two_stages(data: Data, share: float) -> Arm:
    """Stage one on the crawl, stage two on a share of the curated films."""
    return Arm(f"{data}, then curated {share:.0%}", Group.TWO_STAGES, data, Data.CURATED, share)


def _ablations() -> Iterator[Arm]:
    def changed(name: str, changes: dict[str, Any], two: dict[str, Any] | None = None) -> Arm:
        return Arm(name, Group.ABLATION, Data.AUTO, Data.CURATED, ABLATED_SHARE, changes, two or {})

    for data in (Data.RAW, Data.ORACLE):
        yield two_stages(data, ABLATED_SHARE)
    yield changed("with replay", {}, {"replay": REPLAYED})
    yield changed("one row of sound", {"encoders": [{"name": "mel", "layers": [2]}]})
    yield changed("own column", {"window_radius_s": OWN_COLUMN})
    for radius_s in RADII_S:
        yield changed(f"window of {radius_s:g} s", {"window_radius_s": radius_s})
    yield changed("last half of the sites", {"sites": SiteChoice.LATE})
