"""What Clapboard tells Prefect apart from its runs: automations may start a publication, or a message, from it."""

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING

from curation.home.folder import Home
from curation.review.progress import Progress
from flows.server import known_server
from flows.told import told
from shards.errors import Unavailable

if TYPE_CHECKING:
    from prefect.events import RelatedResource

CURATED_TARGET_REACHED = "clapboard.curated-target-reached"
"""The queue knows enough: its targets are met, a precision is proven, or nothing waits any more."""

CLIPS_WAIT = "clapboard.clips-wait"
"""Clips wait for a person that did not wait before."""

CURATED_PUBLISHED = "clapboard.curated-published"
"""There is a new version of the snapshot that people curated."""


def tell_target_reached(home: Home, queue: Progress) -> bool:
    """Emit `CURATED_TARGET_REACHED` if the queue says enough; returns whether a server has heard it, now or before.

    It is told once for each time that the queue comes to know enough, whatever else becomes true of it meanwhile, from
    wherever it is told; so whoever sees the queue says it also when the queue does not know enough (any more).

    Raises:
        Unavailable: the server that is known did not take it; it is not told then, and may be told again.
    """
    with told(home) as note:
        if queue.enough is None or not queue.done:
            note.not_enough()
            return False
        since = note.since()
        if note.enough_told:
            return True
        # Before the server hears it, whom nobody may wait for in the middle of a transaction.
        note.enough_told = True
    facts = {"accepted": queue.accepted, "rejected": queue.rejected, "waiting": queue.waiting}
    heard = False
    try:
        heard = _tell(home, CURATED_TARGET_REACHED, {"enough": queue.enough.value, **facts}, state=str(since))
    finally:
        if not heard:
            with told(home) as note:
                note.enough_told = note.enough_told and note.enough != since
    return heard


def tell_clips_wait(home: Home, queue: Progress, *, page: str) -> bool:
    """Emit `CLIPS_WAIT` if clips wait that did not when it was told last; returns whether a server heard it.

    Raises:
        Unavailable: the server that is known did not take it; these clips are told of with the next ones then.
    """
    clips = queue.waiting + queue.done
    with told(home) as note:
        fresh, note.asked = clips - note.asked, clips
    if fresh <= 0 or not queue.waiting:
        return False
    payload: dict[str, str | int] = {"waiting": queue.waiting, "fresh": min(fresh, queue.waiting), "page": page}
    heard = False
    try:
        heard = _tell(home, CLIPS_WAIT, payload, state=str(uuid.uuid4()))
    finally:
        if not heard:
            with told(home) as note:
                note.asked = min(note.asked, clips - fresh)
    return heard


def tell_published(home: Home, snapshot: str, *, clips: int) -> bool:
    """Emit `CURATED_PUBLISHED`, once for a snapshot; returns whether a server was there to hear it.

    Raises:
        Unavailable: the server that is known did not take it.
    """
    return _tell(home, CURATED_PUBLISHED, {"snapshot": snapshot, "clips": clips}, state=snapshot)


def _tell(home: Home, event: str, payload: Mapping[str, str | int], *, state: str) -> bool:
    """Have the server record an event about a home, once: it takes what is of the same `state` for the same.

    By a request that it answers: `prefect.events.emit_event` sends behind, tells nobody what it lost, and goes on
    sending to the first server that a process knew, whichever is known by now.
    """
    place = home.root.absolute()
    with known_server(home) as url:
        if url is None:
            return False
        import httpx
        from prefect.client.orchestration import get_client
        from prefect.events import Event, Resource

        said = Event(
            event=event,
            resource=Resource(
                {
                    "prefect.resource.id": f"clapboard.home.{uuid.uuid5(uuid.NAMESPACE_URL, place.as_uri())}",
                    "prefect.resource.name": place.name,
                    "clapboard.home": str(place),
                }
            ),
            related=_run_that_tells(),
            payload=dict(payload),
            id=uuid.uuid5(uuid.NAMESPACE_URL, f"{event} {place} {state}"),
        )
        try:
            with get_client(sync_client=True) as client:
                client.request("POST", "/events", json=[said.model_dump(mode="json")])
        except (httpx.HTTPError, RuntimeError) as error:  # the latter where it does not even say its version
            why = str(error).partition("\n")[0]
            raise Unavailable(
                f"the Prefect server at {url} was not told {event}: {why}", remedy="look what it does: clapboard status"
            ) from error
    return True


def _run_that_tells() -> list["RelatedResource"]:
    """The flow run in the middle of which this is, for its page in the UI."""
    from prefect.events import RelatedResource
    from prefect.runtime import flow_run

    if flow_run.id is None:
        return []
    return [
        RelatedResource(
            {
                "prefect.resource.id": f"prefect.flow-run.{flow_run.id}",
                "prefect.resource.role": "flow-run",
                "prefect.resource.name": flow_run.name,
            }
        )
    ]
