"""Whether a snapshot may leave: it is as published, nothing in it shall be gone, no link in it carries a key."""

from shards.demands import every_demand
from shards.errors import BadInput, SnapshotError
from shards.hosts import holds_secret
from shards.snapshot import Snapshot
from shards.verifying import verify


def check_shareable(snapshot: Snapshot, *, links_as_they_are: bool = False) -> None:
    """See that a snapshot is what was published, and that all of it may leave this place.

    Raises:
        SnapshotError: it changed, or holds what was taken down.
        BadInput: a link in it carries a password or a key, or its files do not lie together.
    """
    if faults := verify(snapshot):
        raise SnapshotError(
            f"{snapshot.id} is not what was published: {faults[0]}",
            remedy=f"`clapboard snapshot verify {snapshot.id}` says all; push another version",
        )
    check_not_demanded(snapshot)
    if any(shard["name"].startswith("../") for shard in snapshot.manifest["shards"]):
        raise BadInput(
            f"{snapshot.id} shares shards with older versions in an object store, so its files do not lie together",
            remedy="publish it anew in a folder: without CLAPBOARD_SNAPSHOTS, clapboard publish",
        )
    links = snapshot.index(["link"]).column("link").to_pylist()
    if not links_as_they_are and (secret := sum(map(holds_secret, links))):
        raise BadInput(
            f"the links of {secret} clips in {snapshot.id} carry a password or what looks like a key",
            remedy="name the sources without them and publish anew; or, if anybody may have them: --links-as-they-are",
        )


def check_not_demanded(snapshot: Snapshot) -> None:
    """See that nobody demanded that something of a snapshot be taken down, and that it is still there.

    Raises:
        SnapshotError: somebody did, or it was withdrawn.
    """
    if not snapshot.is_seen:
        raise SnapshotError(
            f"{snapshot.id} was withdrawn meanwhile", remedy=f"push {snapshot.name}, its newest version"
        )
    demanded = {item for demand in every_demand(snapshot.path.parent.parent) for item in demand.items}
    index = snapshot.index(["key", "video_id", "link"])
    columns = (index.column(name).to_pylist() for name in index.column_names)
    refuse_held(snapshot, sum(not demanded.isdisjoint(names) for names in zip(*columns, strict=True)))


def refuse_held(snapshot: Snapshot, clips: int) -> None:
    """Refuse where some clips of a snapshot were taken down.

    Raises:
        SnapshotError: some were.
    """
    if clips:
        raise SnapshotError(
            f"{snapshot.id} holds {clips} clips whose removal was demanded",
            remedy="finish the take-down by the same command, `clapboard takedown ITEM --reason ...`, and push the "
            "version that comes of it",
        )
