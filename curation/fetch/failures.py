"""Why a video could not be fetched, as an exception that carries its outcome."""

from datetime import datetime

from curation.outcomes import Outcome
from shards.errors import ClapboardError

PASSING = frozenset(
    {Outcome.UNREACHABLE, Outcome.TIMED_OUT, Outcome.RATE_LIMITED, Outcome.BOT_WALL, Outcome.SERVER_ERROR}
    | {Outcome.DISK_FULL, Outcome.DNS_FAILED}
)
"""Outcomes that pass by themselves or with a remedy on this machine: the same link may work later."""


HELPED_BY_WAITING = frozenset({Outcome.UNREACHABLE, Outcome.TIMED_OUT, Outcome.SERVER_ERROR, Outcome.DNS_FAILED})
"""Outcomes that some seconds may mend; a host that turns us away is not asked again so soon."""

TURNED_AWAY = frozenset({Outcome.RATE_LIMITED, Outcome.BOT_WALL})
"""Outcomes by which a host says that it has had enough of us."""


class FetchFailure(ClapboardError):
    """A link that gave no video; `detail` is the downloader's own words, `retry_at` the earliest time to try again.

    `retry_after_s` is how long the server itself asks to be left alone. `asked` is False where nobody was asked, since
    the host is being left alone.
    """

    def __init__(
        self,
        outcome: Outcome,
        detail: str = "",
        *,
        retry_at: datetime | None = None,
        retry_after_s: float | None = None,
        asked: bool = True,
    ) -> None:
        super().__init__(detail or outcome.value.replace("_", " "), remedy=outcome.remedy)
        self.outcome = outcome
        self.detail = detail
        self.retry_at = retry_at
        self.retry_after_s = retry_after_s
        self.asked = asked

    @property
    def retry(self) -> bool:
        """Whether another try, later, may help."""
        return self.outcome in PASSING
