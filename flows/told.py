"""What was told of a review queue, kept in its ledger: each thing is told once, from wherever and however often.

The review page and curation runs, on any machine of a project, all see the queue, and a Prefect server that hears the
same twice may start two publications. So the ledger remembers whether it is in a time in which enough is known, and how
many clips people have been asked about.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import BaseModel
from sqlalchemy import select

from curation.home.folder import Home
from curation.ledger.tables import ToldRow
from curation.ledger.upsert import upsert

QUEUE = "queue"


class Told(BaseModel):
    """The note.

    `enough` is the id of the time since which enough is known, None where it is not; `enough_told`, whether a server
    heard of it; `asked`, clips that were in the queue when people were last told that clips wait.
    """

    enough: uuid.UUID | None = None
    enough_told: bool = False
    asked: int = 0

    def not_enough(self) -> None:
        """More has to be answered: the next time that enough is known is another time."""
        self.enough, self.enough_told = None, False

    def since(self) -> uuid.UUID:
        """The time since which enough is known, which begins now if it has not."""
        self.enough = self.enough or uuid.uuid4()
        return self.enough


@contextmanager
def told(home: Home) -> Iterator[Told]:
    """The note, for nobody else while the block lasts; what is changed in it is kept if the block ends well."""
    with home.ledger() as ledger, ledger.session() as session:
        # Inserting takes the lock of an SQLite ledger, reading it for an update that of the row in PostgreSQL.
        upsert(session, ToldRow, [{"name": QUEUE, "note": Told().model_dump(mode="json")}], update=())
        row = session.scalars(select(ToldRow).where(ToldRow.name == QUEUE).with_for_update()).one()
        note = Told.model_validate(row.note)
        yield note
        row.note = note.model_dump(mode="json")
