"""What Clapboard tells Prefect apart from its runs: automations may start a publication, or a message, from it."""

import uuid

from curation.home import Home
from curation.review.progress import Progress
from flows.server import known_server

CURATED_TARGET_REACHED = "clapboard.curated-target-reached"
"""The queue knows enough: its targets are met, a precision is proven, or nothing waits any more."""


def tell_target_reached(home: Home, queue: Progress) -> bool:
    """Emit `CURATED_TARGET_REACHED` if the queue says enough; returns whether a server was there to hear it.

    The same state of the queue is the same event, however often and from wherever it is told.
    """
    if queue.enough is None or not queue.done:
        return False
    place = home.root.absolute()
    state = f"{place} {queue.enough} {queue.accepted} {queue.rejected} {queue.waiting}"
    with known_server(home) as url:
        if url is None:
            return False
        from prefect.events import emit_event

        emit_event(
            CURATED_TARGET_REACHED,
            resource={
                "prefect.resource.id": f"clapboard.home.{uuid.uuid5(uuid.NAMESPACE_URL, place.as_uri())}",
                "prefect.resource.name": place.name,
                "clapboard.home": str(place),
            },
            payload={
                "enough": queue.enough.value,
                "accepted": queue.accepted,
                "rejected": queue.rejected,
                "waiting": queue.waiting,
            },
            id=uuid.uuid5(uuid.NAMESPACE_URL, state),
        )
    return True
