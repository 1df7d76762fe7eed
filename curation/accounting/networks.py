"""In which of two worlds a run is: published networks look at its clips, or signal scores alone do.

Both are legitimate, and whoever reads a figure has to know which it was.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from curation.decide.policy import Policy
from curation.encoders.settings import ImageModel, SemanticSettings
from curation.scores.registry import build
from curation.scores.trends import versions
from shards.errors import Unavailable
from shards.files import write_atomic
from shards.weights import require

NETWORKS = {"clip": "CLIP", "clap": "CLAP", "pe_av": "PE-AV", "synchformer": "Synchformer"}
"""What the networks are called, by the score that asks them."""

NOTE = "last_run.json"


@dataclass(frozen=True, slots=True)
class World:
    """The published networks that looked at a run's clips, and those of them whose numbers count in its policy."""

    measured: tuple[str, ...]
    deciding: tuple[str, ...]

    @property
    def told(self) -> str:
        """The same as a sentence or two."""
        if not self.measured:
            none = f"no published network looked at a clip ({', '.join(NETWORKS.values())})"
            return f"This run was decided by signal scores alone: {none}."
        if not self.deciding:
            return (
                f"This run was measured by published networks ({', '.join(self.measured)}), and decided by signal "
                "scores alone: what those numbers are worth, `clapboard calibrate` learns from verdicts."
            )
        silent = [one for one in self.measured if one not in self.deciding]
        rest = f" Measured, and without a say: {', '.join(silent)}." if silent else ""
        return f"This run was decided by published networks: {', '.join(self.deciding)}, beside signal scores.{rest}"


def world_of(scores: Iterable[str], policy: Policy, semantics: SemanticSettings) -> World:
    """Of a run with these scores under the policy in force."""
    there = [name for name in NETWORKS if name in set(scores)]
    if semantics.image_model is ImageModel.OFFLINE and "clip" in there:
        there.remove("clip")
    count = {name for odds in (policy, policy.meaning) for name, weight in odds.weights.items() if weight}
    bounds = {"image_text_min": policy.min_image_text, "audio_text_min": policy.min_audio_text}
    counting = versions(frozenset(count | {name for name, bound in bounds.items() if bound is not None}))
    return World(tuple(NETWORKS[name] for name in there), tuple(NETWORKS[name] for name in there if name in counting))


def lacks() -> list[Unavailable]:
    """Why the preset `published` cannot run here, and what mends each; nothing where it can."""
    checks: list[Callable[[], object]] = [score.check for score in build(list(NETWORKS))]
    checks.append(partial(require, "synchformer_synchronisable"))
    found = []
    for check in checks:
        try:
            check()
        except Unavailable as lack:
            found.append(lack)
    return found


def note(root: Path, world: World) -> None:
    """Keep it beside the ledger, for whoever asks what was decided after the run has ended."""
    said = {"measured_by": world.measured, "decided_by": world.deciding}
    write_atomic(root / NOTE, json.dumps(said, indent=1).encode())


def noted(root: Path) -> World | None:
    """The world of a home's last run; None where there was none, or none that said so."""
    try:
        said = json.loads((root / NOTE).read_text())
        return World(tuple(said["measured_by"]), tuple(said["decided_by"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
