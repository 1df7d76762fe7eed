"""Who works on which video: leases in the ledger, so that any number of processes and machines share one list.

A video is claimed before it is worked on, the claim is renewed meanwhile, and what a holder that died had claimed is
free again once its lease runs out. A turn is the same for what only one may do at a time. Times are the database's.
"""

import os
import secrets
import socket
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import ColumnElement, or_, select, update

from curation.ledger.clock import now_in_ms
from curation.ledger.open import Ledger
from curation.ledger.tables import TurnRow, Video
from curation.ledger.upsert import upsert
from shards.errors import ClapboardError
from shards.files import is_alive

LEASE_S = 60.0
"""How long after its last sign of life a holder is taken for dead [ours]."""

RENEW_S = 10.0
"""Six signs may be lost."""

LOOK_S = 0.5


def new_holder() -> str:
    """A name for whoever works now: machine, process, and a word that no other run of that process has."""
    return f"{_this_machine()}:{os.getpid()}:{secrets.token_hex(4)}"


def claim_videos(
    ledger: Ledger, due: ColumnElement[bool], *, holder: str, most: int, after: str = "", lease_s: float = LEASE_S
) -> list[str]:
    """Claim videos that are due and nobody else's; returns their ids, in order.

    Args:
        ledger: which all holders share.
        due: which videos want work, as a condition on `Video`.
        holder: whose they are from now on.
        most: so many at most.
        after: only those whose ids come after this one.
        lease_s: how long they stay so unless `renew` is called.
    """
    with ledger.session() as session:
        now = now_in_ms(session)
        found = select(Video.id).where(Video.id > after, _is_free(now), due).order_by(Video.id).limit(most)
        if session.get_bind().dialect.name == "postgresql":
            # Whoever claims at the same moment passes over these rows instead of waiting for them.
            found = select(found.with_for_update(skip_locked=True, of=Video).cte("found").c.id)
        taken = update(Video).where(Video.id.in_(found), _is_free(now))
        taken = taken.values(leased_to=holder, leased_until_ms=now + round(lease_s * 1000)).returning(Video.id)
        return sorted(session.scalars(taken.execution_options(synchronize_session=False)))


def give_back(ledger: Ledger, holder: str, video_ids: Collection[str] | None = None) -> None:
    """End the claim on videos, or on all that this holder has."""
    mine = [Video.leased_to == holder]
    if video_ids is not None:
        mine.append(Video.id.in_(video_ids))
    with ledger.session() as session:
        session.execute(update(Video).where(*mine).values(leased_to=None, leased_until_ms=0))


def renew(ledger: Ledger, holder: str, *, lease_s: float = LEASE_S) -> None:
    """The holder lives: all its leases, and its turns, begin anew."""
    with ledger.session() as session:
        until = now_in_ms(session) + round(lease_s * 1000)
        for row in (Video, TurnRow):
            session.execute(update(row).where(row.leased_to == holder).values(leased_until_ms=until))


def other_holders(ledger: Ledger, holder: str) -> set[str]:
    """Who else works on videos now."""
    with ledger.session() as session:
        now = now_in_ms(session)
        others = select(Video.leased_to).where(Video.leased_to.is_not(None), Video.leased_to != holder)
        return {name for name in session.scalars(others.where(Video.leased_until_ms > now).distinct()) if name}


def free_the_dead(ledger: Ledger) -> None:
    """Give back what processes of this machine had that are no more: nobody needs to wait for their leases to end."""
    with ledger.session() as session:
        names = set(session.scalars(select(Video.leased_to).where(Video.leased_to.is_not(None)).distinct()))
        names |= set(session.scalars(select(TurnRow.leased_to).where(TurnRow.leased_until_ms > 0)))
    for name in filter(None, names):
        machine, _, rest = name.rpartition(":")[0].rpartition(":")
        if machine == _this_machine() and rest.isdigit() and not is_alive(int(rest)):
            give_back(ledger, name)
            with ledger.session() as session:
                session.execute(update(TurnRow).where(TurnRow.leased_to == name).values(leased_until_ms=0))


def was_abandoned() -> ColumnElement[bool]:
    """Whether somebody claimed a video and did not give it back: who may be at work, or dead."""
    return Video.leased_to.is_not(None)


def take_turn(ledger: Ledger, name: str, holder: str, *, lease_s: float = LEASE_S) -> bool:
    """Whether it is this holder's turn from now on; of many that ask at once one is told so."""
    with ledger.session() as session:
        row = {"name": name, "leased_to": holder, "leased_until_ms": 0}
        upsert(session, TurnRow, [row], update=())
        now = now_in_ms(session)
        free = or_(TurnRow.leased_to == holder, TurnRow.leased_until_ms <= now)
        taken = update(TurnRow).where(TurnRow.name == name, free)
        taken = taken.values(leased_to=holder, leased_until_ms=now + round(lease_s * 1000))
        return bool(session.execute(taken).rowcount)  # type: ignore[attr-defined]


def end_turn(ledger: Ledger, name: str, holder: str) -> None:
    """The next may have it."""
    with ledger.session() as session:
        mine = update(TurnRow).where(TurnRow.name == name, TurnRow.leased_to == holder)
        session.execute(mine.values(leased_until_ms=0))


@contextmanager
def turn(ledger: Ledger, name: str, holder: str, *, lease_s: float = LEASE_S) -> Iterator[None]:
    """Have a turn for the length of the block; whoever has it now is waited for."""
    while not take_turn(ledger, name, holder, lease_s=lease_s):
        time.sleep(LOOK_S)
    try:
        yield
    finally:
        end_turn(ledger, name, holder)


def wait_for_others(ledger: Ledger, holder: str) -> None:
    """Until those who work on videos now are done with what they claimed, or dead; whoever comes later is let be."""
    others = other_holders(ledger, holder)
    while others & other_holders(ledger, holder):
        time.sleep(LOOK_S)


@contextmanager
def kept_up(ledger: Ledger, holder: str, *, every_s: float = RENEW_S, lease_s: float = LEASE_S) -> Iterator[None]:
    """Renew a holder's leases for the length of the block, and give all back at its end."""
    free_the_dead(ledger)
    done = threading.Event()

    def signs_of_life() -> None:
        while not done.wait(every_s):
            with suppress(ClapboardError):  # a database that is away for a moment; the next sign may arrive
                renew(ledger, holder, lease_s=lease_s)

    thread = threading.Thread(target=signs_of_life, name="leases", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        with suppress(ClapboardError):
            give_back(ledger, holder)


def _is_free(now_ms: int) -> ColumnElement[bool]:
    return or_(Video.leased_to.is_(None), Video.leased_until_ms <= now_ms)


def _this_machine() -> str:
    """Where process numbers mean what they mean here: containers of one host's name have numbers of their own."""
    try:
        space = str(Path("/proc/self/ns/pid").readlink()).strip("pid:[]")
    except OSError:
        space = ""
    return f"{socket.gethostname()[:40]}:{space}"
