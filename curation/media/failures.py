"""Why a file cannot be used, as an exception that carries its outcome."""

from curation.outcomes import Outcome
from shards.errors import ClapboardError


class Stopped(Exception):
    """The run ends; of what it was about to do nothing is recorded."""


class MediaFailure(ClapboardError):
    """A media file that cannot be decoded; `outcome` says in which way, `detail` in whose words."""

    def __init__(self, outcome: Outcome, detail: str = "") -> None:
        super().__init__(detail or outcome.value.replace("_", " "), remedy=outcome.remedy)
        self.outcome = outcome
        self.detail = detail
