"""Why a video could not be fetched, as an exception that carries its outcome."""

from datetime import datetime

from curation.outcomes import Outcome
from shards.errors import ClapboardError

PASSING = frozenset(
    {Outcome.UNREACHABLE, Outcome.TIMED_OUT, Outcome.RATE_LIMITED, Outcome.SERVER_ERROR, Outcome.DISK_FULL}
)
"""Outcomes that pass by themselves or with a remedy on this machine: the same link may work later."""


class FetchFailure(ClapboardError):
    """A link that gave no video; `detail` is the downloader's own words, `retry_at` the earliest time to try again."""

    def __init__(self, outcome: Outcome, detail: str = "", *, retry_at: datetime | None = None) -> None:
        super().__init__(detail or outcome.value.replace("_", " "), remedy=outcome.remedy)
        self.outcome = outcome
        self.detail = detail
        self.retry_at = retry_at

    @property
    def retry(self) -> bool:
        """Whether another try, later, may help."""
        return self.outcome in PASSING
