"""The clock of leases: the database's, since reviewers' servers may run on machines whose clocks differ."""

from sqlalchemy import BigInteger, cast, extract, func, select
from sqlalchemy.orm import Session

_UNIX_EPOCH_JD = 2440587.5
_DAY_MS = 86_400_000


def now_in_ms(session: Session) -> int:
    """Milliseconds since 1970, as the ledger's database has them."""
    if session.get_bind().dialect.name == "sqlite":
        days = func.julianday("now") - _UNIX_EPOCH_JD
        return int(session.scalar(select(cast(days * _DAY_MS, BigInteger))) or 0)
    return int((session.scalar(select(extract("epoch", func.clock_timestamp()))) or 0) * 1000)
