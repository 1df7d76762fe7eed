"""Back a home up while it is used: its ledger as of one moment, what its snapshots are, the log of take-downs.

In the ledger are all verdicts, accounts and calibrations. Of a snapshot the manifest, the index and the card are kept,
and its shards where that is asked for. Videos, cut clips, training and Prefect's database are not: they are made again.

The ledger comes first and the log of take-downs last: what was taken down in between is found in the log, and taken
down again when the backup is restored.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version as installed_version
from pathlib import Path

from sqlalchemy import make_url

from curation.home.backup_files import (
    EMBEDDINGS,
    HOME,
    KEPT,
    LEDGER,
    SNAPSHOTS,
    BackupError,
    BackupFacts,
    BackupFault,
    BackupManifest,
)
from curation.home.backup_writing import SHARD_REMEDY, Entry, Progress, aside, fill, show
from curation.home.folder import Home
from curation.ledger.copies import save_to_file
from shards.card import CARD
from shards.demands import LOG, log_bytes
from shards.errors import SnapshotError
from shards.snapshot import INDEX, MANIFEST, SUMS, Snapshot, list_snapshots, names, withdrawn

ATTEMPTS = 20
"""How often it is begun anew because a version was withdrawn meanwhile [ours]."""


def back_up(
    home: Home, out: Path, *, shards: bool = False, embeddings: bool = False, progress: Progress | None = None
) -> BackupManifest:
    """Write a backup of a home to a folder, or to one file where the name ends in .tar; nobody has to stop for it.

    Args:
        home: whose ledger there is.
        out: where nothing is yet.
        shards: keep the clips of all snapshots too.
        embeddings: keep what networks made of pictures and sounds, too.
        progress: is told bytes done, bytes in all, and the file.

    Raises:
        BadInput: there is no home, or there is something at `out`.
        LedgerError: the ledger cannot be read.
        SnapshotError: a shard is missing, or not what was published.
    """
    home.check_there()
    for _ in range(ATTEMPTS):
        with aside(out) as work:
            revision = save_to_file(home.ledger_url, work / LEDGER)
            snapshots = list_snapshots(home.snapshots)
            facts = BackupFacts(
                code_version=installed_version("clapboard"),
                made_at=datetime.now(UTC).isoformat(timespec="seconds"),
                ledger=make_url(home.ledger_url).get_backend_name(),
                revision=revision,
                shards=shards,
                embeddings=embeddings,
                snapshots=tuple(one.id for one in snapshots),
            )
            try:
                entries = [Entry(LEDGER, work / LEDGER), *_of_home(home, embeddings=embeddings)]
                entries += _published(home.snapshots, snapshots, shards=shards)
                manifest = fill(work, out, entries, facts, progress=progress)
            except FileNotFoundError:
                # A take-down removes what was listed.
                continue
            if all(one.is_seen for one in snapshots):
                show(work, out)
                return manifest
    raise BackupError(
        BackupFault.CHANGING,
        f"files of {home.root} went away while they were read, again and again",
        remedy="run it again when no take-down runs",
    )


def _of_home(home: Home, *, embeddings: bool) -> Iterator[Entry]:
    for name in KEPT:
        if (home.root / name).is_file():
            yield Entry(f"{HOME}/{name}", (home.root / name).read_bytes())
    folder = home.embeddings.folder
    for path in sorted(folder.glob("*/*.parquet")) if embeddings else ():
        yield Entry(f"{EMBEDDINGS}/{path.relative_to(folder).as_posix()}", path)


def _published(root: Path, snapshots: Sequence[Snapshot], *, shards: bool) -> list[Entry]:
    """The files of snapshots, notes on those that were withdrawn, and the log, each once."""
    entries = [entry for one in snapshots for entry in _of_snapshot(one, shards=shards)]
    for name in names(root):
        entries += [_entry(name, note.parent.name, note.name, note) for note in withdrawn(root, name)]
    if log := log_bytes(root):
        entries.append(Entry(f"{SNAPSHOTS}/{LOG}", log))
    return list({entry.name: entry for entry in entries}.values())


def _of_snapshot(snapshot: Snapshot, *, shards: bool) -> Iterator[Entry]:
    """What there is of a snapshot, damaged or not; of shards only such as were published.

    Raises:
        SnapshotError: a shard is missing.
    """
    version = f"v{snapshot.version}"
    for file in (MANIFEST, SUMS, INDEX, CARD):
        if snapshot.file(file).is_file():
            yield _entry(snapshot.name, version, file, snapshot.file(file))
    for shard in snapshot.manifest["shards"] if shards else ():
        path = snapshot.file(shard["name"])
        if not path.is_file() and snapshot.is_seen:
            raise SnapshotError(f"{path} is missing", remedy=SHARD_REMEDY)
        # One that an older version shares may lie in that one's folder.
        yield _entry(snapshot.name, path.parent.name, path.name, path, shard["sha256"])


def _entry(name: str, version: str, file: str, path: Path, sha256: str | None = None) -> Entry:
    return Entry(f"{SNAPSHOTS}/{name}/{version}/{file}", path, sha256)
