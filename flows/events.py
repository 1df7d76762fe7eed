"""What Clapboard tells Prefect apart from its runs: automations may start a publication, or a message, from it."""

import uuid
from collections.abc import Mapping

from curation.home.folder import Home
from curation.review.progress import Progress
from flows.server import known_server

CURATED_TARGET_REACHED = "clapboard.curated-target-reached"
"""The queue knows enough: its targets are met, a precision is proven, or nothing waits any more."""

CURATED_PUBLISHED = "clapboard.curated-published"
"""There is a new version of the snapshot that people curated."""


def tell_target_reached(home: Home, queue: Progress) -> bool:
    """Emit `CURATED_TARGET_REACHED` if the queue says enough; returns whether a server was there to hear it.

    The same state of the queue is the same event, however often and from wherever it is told.
    """
    if queue.enough is None or not queue.done:
        return False
    return _tell(
        home,
        CURATED_TARGET_REACHED,
        {
            "enough": queue.enough.value,
            "accepted": queue.accepted,
            "rejected": queue.rejected,
            "waiting": queue.waiting,
        },
    )


def tell_published(home: Home, snapshot: str, *, clips: int) -> bool:
    """Emit `CURATED_PUBLISHED`, once for a snapshot; returns whether a server was there to hear it."""
    return _tell(home, CURATED_PUBLISHED, {"snapshot": snapshot, "clips": clips})


def _tell(home: Home, event: str, payload: Mapping[str, str | int]) -> bool:
    """Emit an event about a home; what has been told before has the same id, and is not told again."""
    place = home.root.absolute()
    state = " ".join(map(str, (event, place, *payload.values())))
    with known_server(home) as url:
        if url is None:
            return False
        from prefect.events import emit_event

        emit_event(
            event,
            resource={
                "prefect.resource.id": f"clapboard.home.{uuid.uuid5(uuid.NAMESPACE_URL, place.as_uri())}",
                "prefect.resource.name": place.name,
                "clapboard.home": str(place),
            },
            payload=dict(payload),
            id=uuid.uuid5(uuid.NAMESPACE_URL, state),
        )
    return True
