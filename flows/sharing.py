"""Push a snapshot of a home, unless something in it was taken down: as its snapshots know, and as its ledger knows."""

from curation.home.folder import Home, file_of
from curation.home.takedown import check_none_taken_down
from shards.pushing import Progress, Pushed, push
from shards.shareable import check_not_demanded, check_shareable
from shards.snapshot import open_snapshot


def push_checked(
    home: Home,
    ref: str,
    repo: str,
    *,
    public: bool = False,
    links_as_they_are: bool = False,
    progress: Progress | None = None,
) -> Pushed:
    """Upload the snapshot that `ref` names to a repository of the hub.

    Raises:
        SnapshotError: there is none, it changed, or holds what was taken down, also in the meantime.
        BadInput: a link in it carries a password or a key, or the repository is not as it should be.
        HubError: the hub refused, or was not reached.
    """
    snapshot = open_snapshot(home.snapshots, ref)

    def check() -> None:
        check_not_demanded(snapshot)
        # Snapshots may lie where no ledger is.
        if (file := file_of(home.ledger_url)) is None or file.is_file():
            with home.ledger(must_exist=True) as ledger:
                check_none_taken_down(ledger, snapshot)

    check()
    check_shareable(snapshot, links_as_they_are=links_as_they_are)
    return push(snapshot, repo, public=public, check=check, progress=progress)
