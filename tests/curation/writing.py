"""What is written into a ledger meanwhile, as its driver says."""

from collections import Counter
from contextlib import contextmanager

from sqlalchemy import event


@contextmanager
def written(ledger):
    """Counts the rows of each table that statements change."""
    rows = Counter()

    def count(connection, cursor, statement, *_):
        words = statement.split()
        if words[0] in ("INSERT", "UPDATE", "DELETE") and cursor.rowcount > 0:
            rows[words[1] if words[0] == "UPDATE" else words[2]] += cursor.rowcount

    event.listen(ledger.engine, "after_cursor_execute", count)
    try:
        yield rows
    finally:
        event.remove(ledger.engine, "after_cursor_execute", count)
