"""Make a home of a backup: read aside, checked byte by byte, brought up to date, then seen at once.

What a take-down demanded after the ledger was read, as the log of take-downs knows, is forgotten again. Where
`CLAPBOARD_LEDGER` names a database, the ledger goes there, of whichever kind it was; where `CLAPBOARD_SNAPSHOTS` names
another place, what lies there is left as it is.
"""

import errno
import shutil
from dataclasses import dataclass
from pathlib import Path

from curation.home.backup_files import (
    EMBEDDINGS,
    FOLDER_RIGHTS,
    HOME,
    KEPT,
    LEDGER,
    SNAPSHOTS,
    BackupError,
    BackupFault,
    BackupManifest,
    damaged,
)
from curation.home.backup_reading import BackupReader, reading
from curation.home.backup_writing import Progress, beside
from curation.home.folder import Home, file_of
from curation.home.takedown import forget_again
from curation.ledger.copies import load_from_file, revision_in
from curation.ledger.faults import LedgerError, LedgerFault
from curation.ledger.open import open_ledger
from curation.ledger.revisions import known, newest
from shards.errors import SnapshotError
from shards.files import sync
from shards.snapshot import Snapshot, list_snapshots


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of a restore.

    `upgraded` says whether the ledger was of an older schema, `forgotten` which videos were taken down again,
    `without_shards` which snapshots have no clips until somebody puts their shards back.
    """

    manifest: BackupManifest
    upgraded: bool
    forgotten: tuple[str, ...]
    without_shards: tuple[str, ...]
    snapshots_elsewhere: bool


def restore(path: Path, home: Home, *, progress: Progress | None = None) -> Restored:
    """Make a home of the backup at a path.

    Args:
        path: what `curation.home.backup.back_up` wrote, of either form.
        home: where nothing is yet.
        progress: is told bytes done, bytes in all, and the file.

    Raises:
        BackupError: it is no backup, is damaged, was written by a newer version, or the home is not empty.
        LedgerError: the ledger cannot be written to where CLAPBOARD_LEDGER says.
    """
    _check_empty(home)
    with reading(path) as backup, beside(home.root) as work:
        if backup.manifest.facts.revision not in known():
            raise BackupError(
                BackupFault.NEWER,
                f"{path} holds the ledger of a newer version of Clapboard ({backup.manifest.facts.code_version})",
                remedy="pip install --upgrade clapboard",
            )
        staged = Home(work / "home")
        elsewhere = staged.snapshots != staged.root / SNAPSHOTS
        staged.root.mkdir(mode=FOLDER_RIGHTS)
        _copy(backup, staged, progress, snapshots=not elsewhere)
        forgotten = _bring_up_to_date(staged, path, backup.manifest)
        lacking = () if elsewhere else tuple(one.id for one in list_snapshots(staged.snapshots) if _lacks_shards(one))
        _put(staged, home)
    upgraded = backup.manifest.facts.revision != newest()
    return Restored(backup.manifest, upgraded, forgotten, lacking, elsewhere)


def _check_empty(home: Home) -> None:
    if home.root.is_mount():
        raise BackupError(
            BackupFault.MOUNT_POINT,
            f"{home.root} is a mount point, and a home is put into its place by renaming",
            remedy=f"name a folder in it: --home {home.root / 'home'}",
        )
    file = file_of(home.ledger_url)
    for place in (home.root, *((file,) if file else ())):
        there = any(place.iterdir()) if place.is_dir() else place.exists()
        if there:
            raise _not_empty(place)


def _not_empty(place: Path) -> BackupError:
    return BackupError(
        BackupFault.NOT_EMPTY,
        f"{place} is there already, and nothing is restored over it",
        remedy="name a new folder by --home, and a new database by CLAPBOARD_LEDGER where that is set; "
        "or move away first what is there",
    )


def _copy(backup: BackupReader, staged: Home, progress: Progress | None, *, snapshots: bool) -> None:
    """Copy the backup's files to their places."""
    places = {EMBEDDINGS: staged.embeddings.folder}
    places |= {SNAPSHOTS: staged.root / SNAPSHOTS} if snapshots else {}
    targets = {LEDGER: staged.root / LEDGER}
    targets |= {f"{HOME}/{name}": staged.root / name for name in KEPT if f"{HOME}/{name}" in backup.manifest.files}
    for folder, place in places.items():
        targets |= {name: place / name.removeprefix(f"{folder}/") for name in backup.names_below(folder)}
    done, total = 0, sum(backup.fact(name).bytes for name in targets)
    # What others are the same as comes first.
    for name in sorted(targets, key=lambda one: backup.fact(one).same_as is not None):
        if progress:
            progress(done, total, name)
        fact, target = backup.fact(name), targets[name]
        done += fact.bytes
        if fact.same_as in targets:
            _link(targets[fact.same_as], target)
        else:
            backup.copy(name, target)
    if progress:
        progress(total, total, "done")


def _link(source: Path, target: Path) -> None:
    """The same file by another name, as versions share shards; where there are no links, a copy."""
    target.parent.mkdir(mode=FOLDER_RIGHTS, parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)


def _bring_up_to_date(staged: Home, path: Path, manifest: BackupManifest) -> tuple[str, ...]:
    """Migrate the ledger, and forget what was taken down since it was read; returns those videos' ids."""
    file = staged.root / LEDGER
    try:
        if revision_in(file) != manifest.facts.revision:
            raise damaged(path, f"{LEDGER} has another schema than it says")
        with open_ledger(f"sqlite:///{file}") as ledger:
            ledger.check()
            return forget_again(ledger, home=staged)
    except LedgerError as error:
        if error.fault in (LedgerFault.DAMAGED, LedgerFault.NO_DATABASE):
            raise damaged(path, f"{LEDGER} is no whole database") from error
        raise


def _lacks_shards(snapshot: Snapshot) -> bool:
    try:
        return not all(shard.is_file() for shard in snapshot.shards())
    except SnapshotError:  # it was damaged when it was backed up
        return True


def _put(staged: Home, home: Home) -> None:
    """Let the home be seen, and its ledger where CLAPBOARD_LEDGER says: both or neither."""
    file = file_of(home.ledger_url)
    if file == home.root / LEDGER:
        return _rename(staged.root, home.root)
    ledger = staged.root.with_name(LEDGER)
    (staged.root / LEDGER).rename(ledger)
    if file is None:
        return load_from_file(ledger, home.ledger_url, before_commit=lambda: _rename(staged.root, home.root))
    file.parent.mkdir(parents=True, exist_ok=True)
    with beside(file) as work:
        shutil.copy2(ledger, work / LEDGER)
        _rename(staged.root, home.root)
        (work / LEDGER).rename(file)
    return None


def _rename(staged: Path, place: Path) -> None:
    try:
        staged.rename(place)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise _not_empty(place) from error
        raise
    sync(place.parent)
