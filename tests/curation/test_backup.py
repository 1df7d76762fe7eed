"""A backup is one moment's state, whole or not there at all; what is restored is what was backed up, or an error."""

import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tarfile
import textwrap
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, func, make_url, select, text

from curation.home.backup import back_up
from curation.home.backup_files import MANIFEST, SUMS, BackupError, BackupFault
from curation.home.folder import Home
from curation.home.restore import restore
from curation.home.takedown import take_down
from curation.ledger.faults import LedgerError, LedgerFault
from curation.ledger.open import open_ledger
from curation.ledger.tables import (
    Base,
    CalibrationRow,
    ClipRow,
    FingerprintRow,
    ReviewerRow,
    SourceEntry,
    TakedownRow,
    VerdictRow,
    Video,
)
from shards.errors import BadInput, SnapshotError
from shards.files import checksums, sha256_of
from shards.publishing import publish
from shards.snapshot import list_snapshots, open_snapshot
from shards.takedown import log
from shards.verifying import verify
from tests.shards.conftest import sample

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    for name in ("CLAPBOARD_LEDGER", "CLAPBOARD_SNAPSHOTS"):
        monkeypatch.delenv(name, raising=False)


def fill(ledger) -> None:
    """A row of most tables, with the values that copies get wrong first."""
    with ledger.session() as session:
        session.add(
            Video(
                id="v",
                link="https://example.org/v",
                local=False,
                cuts_us=[1, 2],
                fetched_at=datetime(2026, 1, 2, 3, 4, 5, 678901, UTC),
            )
        )
        words = {"caption": "ein Hund, вот\n🐕", "label": "dog", "licence": "CC0", "outcome": "ok", "detail": ""}
        session.add(SourceEntry(id="r", table_name="t", row=1, video_id="v", **words))
        session.add(ReviewerRow(name="ann", password="argon2-hash"))
        session.add(CalibrationRow(policy={"w": 0.1 + 0.2}, report={"none": None}))
        session.add(FingerprintRow(video_id="v", version=1, picture=b"\0\xff\x00", sound=b""))
        session.flush()
        decided = {"band": "accept", "reasons": ["x"], "p_good": 1e-17, "policy": "p", "audit": True, "current": True}
        session.add(
            ClipRow(id="c", video_id="v", source_id="r", start_us=0, end_us=10**13, scores={"a": None}, **decided)
        )
        session.flush()
        session.add(VerdictRow(clip_id="c", reviewer="ann", verdict="accept", key="1", parts=[[0, 5]], seconds=1.5))
        session.add(VerdictRow(clip_id="c", reviewer="bob", verdict="reject", key="2", parts=None, undoes=1))


def rows(url: str) -> dict[str, list]:
    with open_ledger(url) as ledger, ledger.session() as session:
        found = {}
        for table in Base.metadata.sorted_tables:
            ordered = session.execute(table.select().order_by(*table.primary_key.columns))
            found[table.name] = [tuple(_utc(value) for value in row) for row in ordered]
        return found


def _utc(value):
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


def tree(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


@pytest.fixture
def home(tmp_path):
    """A home with rows and two versions, the second of which shares a shard."""
    home = Home(tmp_path / "home")
    with home.ledger() as ledger:
        fill(ledger)
    publish(home.snapshots, "auto", [sample(n) for n in range(8)], recipe={}, clips_per_shard=4)
    publish(home.snapshots, "auto", [sample(n) for n in range(9)], recipe={}, clips_per_shard=4)
    (home.root / "last_run.json").write_text("{}")
    home.embeddings.path("key", "v").parent.mkdir(parents=True)
    home.embeddings.path("key", "v").write_bytes(b"numbers")
    return home


@pytest.fixture(params=["folder", "tar"])
def out(request, tmp_path):
    return tmp_path / "kept" / ("backup" if request.param == "folder" else "backup.tar")


def test_a_home_comes_back_as_it_was(home, out, tmp_path):
    back_up(home, out, shards=True, embeddings=True)
    done = restore(out, Home(tmp_path / "new"))
    new = Home(tmp_path / "new")
    assert rows(new.ledger_url) == rows(home.ledger_url)
    assert tree(new.snapshots) == tree(home.snapshots)
    assert [verify(one) for one in list_snapshots(new.snapshots)] == [[], []]
    assert (new.root / "last_run.json").read_text() == "{}"
    assert tree(new.embeddings.folder) == {"key/v.parquet": b"numbers"}
    assert (done.upgraded, done.forgotten, done.without_shards) == (False, (), ())
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_without_shards_snapshots_keep_their_index_and_say_what_they_lack(home, out, tmp_path):
    back_up(home, out)
    new = Home(tmp_path / "new")
    assert restore(out, new).without_shards == ("auto/v1", "auto/v2")
    assert len(open_snapshot(new.snapshots, "auto/v2").index()) == 9
    assert "000000.tar is missing" in verify(open_snapshot(new.snapshots, "auto"))
    assert not new.embeddings.folder.exists()
    shutil.copytree(home.snapshots, new.snapshots, dirs_exist_ok=True)
    assert verify(open_snapshot(new.snapshots, "auto")) == []


def test_shards_that_versions_share_are_kept_once(home, out, tmp_path):
    manifest = back_up(home, out, shards=True)
    shared = [name for name, fact in manifest.files.items() if fact.same_as]
    assert len(shared) == 2 and all(name.startswith("snapshots/auto/v2/") for name in shared)
    restore(out, Home(tmp_path / "new"))
    new = Home(tmp_path / "new").snapshots / "auto"
    assert (new / "v1" / "000000.tar").samefile(new / "v2" / "000000.tar")


def test_it_is_for_us_alone(home, out, tmp_path):
    back_up(home, out, shards=True)
    restore(out, Home(tmp_path / "new"))
    for place in (out, tmp_path / "new"):
        assert stat.S_IMODE(place.stat().st_mode) == (0o700 if place.is_dir() else 0o600)
        modes = {stat.S_IMODE(path.stat().st_mode) for path in place.rglob("*") if path.is_file()}
        assert modes <= {0o600}
    if out.suffix == ".tar":
        with tarfile.open(out) as tar:
            assert {member.mode for member in tar} == {0o600}


def test_sha256sum_itself_finds_it_whole(home, tmp_path):
    back_up(home, tmp_path / "kept", shards=True)
    done = subprocess.run(["sha256sum", "--check", "--strict", SUMS], cwd=tmp_path / "kept", capture_output=True)
    assert done.returncode == 0, done.stderr


WRITER = """
    import sys
    from datetime import UTC, datetime
    from curation.ledger.open import open_ledger
    from curation.ledger.tables import Video

    with open_ledger(sys.argv[1]) as ledger:
        for number in range(100_000):
            with ledger.session() as session:
                # Two rows in one transaction: a copy that holds one of them is no moment's state.
                for half in ("left", "right"):
                    session.add(Video(id=f"{half}{number}", link="l" * 200, local=False, cuts_us=[]))
                    session.flush()
            if number == 20:
                print("writing", flush=True)
"""


def test_a_backup_while_a_writer_writes_is_one_moments_state(ledger_url, tmp_path, monkeypatch):
    monkeypatch.setenv("CLAPBOARD_LEDGER", ledger_url)
    home = Home(tmp_path / "home")
    command = [sys.executable, "-c", textwrap.dedent(WRITER), ledger_url]
    writer = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert writer.stdout.readline() == "writing\n"
        for number in range(3):
            back_up(home, tmp_path / f"kept{number}")
        assert writer.poll() is None
    finally:
        writer.kill()
        writer.wait()
    monkeypatch.delenv("CLAPBOARD_LEDGER")
    counts = []
    for number in range(3):
        new = Home(tmp_path / f"new{number}")
        restore(tmp_path / f"kept{number}", new)
        with new.ledger(must_exist=True) as ledger, ledger.session() as session:
            ledger.check()
            names = set(session.scalars(select(Video.id)))
        left = {name[4:] for name in names if name.startswith("left")}
        assert left == {name[5:] for name in names if name.startswith("right")}
        assert left == {str(one) for one in range(len(left))}
        counts.append(len(left))
    assert 20 < counts[0] < counts[2]


KILLED = """
    import os, sys
    from pathlib import Path
    from curation.home.backup import back_up
    from curation.home.folder import Home

    def die(done, total, name):
        if name.endswith(sys.argv[3]):
            os.kill(os.getpid(), 9)

    back_up(Home(Path(sys.argv[1])), Path(sys.argv[2]), shards=True, progress=die)
"""


@pytest.mark.parametrize("at", ["ledger.sqlite", "v2/000002.tar", "done"])
def test_a_killed_backup_leaves_nothing_that_a_restore_accepts_and_the_next_one_sweeps(home, out, at, tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(home.root), str(out), at]
    assert subprocess.run(command, cwd=ROOT, capture_output=True).returncode == -signal.SIGKILL
    assert not out.exists()
    (left,) = out.parent.iterdir()
    for path in (out, left, *left.rglob("*")):
        with pytest.raises(BackupError) as caught:
            restore(path, Home(tmp_path / "new"))
        assert caught.value.fault is BackupFault.NO_BACKUP
    assert not (tmp_path / "new").exists()
    back_up(home, out, shards=True)
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 1
    path.write_bytes(bytes(data))


def test_a_flipped_bit_in_any_file_is_found(home, tmp_path):
    whole = tmp_path / "whole"
    back_up(home, whole, shards=True, embeddings=True)
    for number, path in enumerate(sorted(path for path in whole.rglob("*") if path.is_file())):
        before = path.read_bytes()
        flip(path, len(before) // 2)
        with pytest.raises(BackupError) as caught:
            restore(whole, Home(tmp_path / f"new{number}"))
        assert caught.value.fault in (BackupFault.DAMAGED, BackupFault.NEWER), path
        assert not (tmp_path / f"new{number}").exists()
        path.write_bytes(before)
    restore(whole, Home(tmp_path / "new"))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9, 0.995])
def test_a_tar_that_was_cut_short_or_changed_is_refused(home, tmp_path, share):
    tar = tmp_path / "backup.tar"
    back_up(home, tar, shards=True)
    data = tar.read_bytes()
    end = data.rindex(b"000000.tar" if share == 0.0 else b"SHA256SUMS")
    (tmp_path / "short.tar").write_bytes(data[: int(end * share)])
    with pytest.raises(BackupError):
        restore(tmp_path / "short.tar", Home(tmp_path / "new"))
    changed = bytearray(data)
    # A byte that says something: between its members a tar is filled up with zeros that nobody reads.
    changed[next(at for at in range(int(end * share), end) if data[at])] ^= 255
    (tmp_path / "changed.tar").write_bytes(bytes(changed))
    with pytest.raises(BackupError):
        restore(tmp_path / "changed.tar", Home(tmp_path / "new"))
    assert not (tmp_path / "new").exists()
    assert sorted(path.name for path in tmp_path.iterdir() if "partial" in path.name) == []


def rewritten(folder: Path, change) -> None:
    """The backup with another manifest whose sums agree."""
    told = json.loads((folder / MANIFEST).read_text())
    change(told)
    (folder / MANIFEST).write_text(json.dumps(told))
    sums = {name: fact["sha256"] for name, fact in told["files"].items()}
    (folder / SUMS).write_bytes(checksums(sums | {MANIFEST: sha256_of(folder / MANIFEST)}))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda told: told.update(format=2), BackupFault.NEWER),
        (lambda told: told["facts"].update(revision="9999"), BackupFault.NEWER),
        (lambda told: told["facts"].update(revision="0002"), BackupFault.DAMAGED),
        (lambda told: told["files"].update({"../out": told["files"]["ledger.sqlite"]}), BackupFault.DAMAGED),
        (lambda told: told["files"].update({"/tmp/out": told["files"]["ledger.sqlite"]}), BackupFault.DAMAGED),
        (lambda told: told.pop("facts"), BackupFault.DAMAGED),
    ],
    ids=["format", "schema", "other schema", "outside", "absolute", "nothing"],
)
def test_a_backup_of_a_newer_version_or_with_names_that_lead_out_is_refused(home, tmp_path, change, fault):
    back_up(home, tmp_path / "kept")
    rewritten(tmp_path / "kept", change)
    with pytest.raises(BackupError) as caught:
        restore(tmp_path / "kept", Home(tmp_path / "new"))
    assert caught.value.fault is fault
    assert ("upgrade" in caught.value.remedy) == (fault is BackupFault.NEWER)
    assert not (tmp_path / "new").exists() and not (tmp_path / "out").exists()


def test_nothing_is_restored_over_a_home_and_nothing_backed_up_over_a_file(home, out, tmp_path):
    back_up(home, out)
    before = tree(home.root)
    with pytest.raises(BackupError, match="is there already") as caught:
        restore(out, home)
    assert caught.value.fault is BackupFault.NOT_EMPTY and "--home" in caught.value.remedy
    with pytest.raises(BackupError, match="is there already"):
        back_up(home, out)
    assert tree(home.root) == before
    (tmp_path / "new").mkdir()
    restore(out, Home(tmp_path / "new"))


def test_what_is_no_home_is_not_backed_up(tmp_path):
    with pytest.raises(BadInput, match="there is no home"):
        back_up(Home(tmp_path / "typo"), tmp_path / "kept")
    sqlite3.connect(tmp_path / "ledger.sqlite").close()
    with pytest.raises(BadInput, match="holds no ledger"):
        back_up(Home(tmp_path), tmp_path / "kept")
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.sqlite"]


def test_a_shard_that_changed_is_not_backed_up_as_if_it_were_whole(home, out):
    flip(home.snapshots / "auto" / "v2" / "000002.tar", 700)
    with pytest.raises(SnapshotError, match=r"000002\.tar is not what was published"):
        back_up(home, out, shards=True)
    assert list(out.parent.iterdir()) == []
    back_up(home, out)


def test_a_damaged_snapshot_keeps_nobody_from_a_backup_of_the_rest(home, out, tmp_path):
    (home.snapshots / "auto" / "v1" / "snapshot.json").write_text("{")
    (home.snapshots / "auto" / "v2" / "index.parquet").unlink()
    (home.snapshots / "auto" / "v2" / "000002.tar").unlink()
    with pytest.raises(SnapshotError, match=r"the manifest of auto/v1 changed"):
        back_up(home, out, shards=True)
    back_up(home, out)
    new = Home(tmp_path / "new")
    restore(out, new)
    assert rows(new.ledger_url) == rows(home.ledger_url)
    assert (new.snapshots / "auto" / "v1" / "snapshot.json").read_text() == "{"


def test_a_ledger_of_a_newer_version_is_kept_as_a_file_and_refused_row_by_row(ledger_url, tmp_path, monkeypatch):
    monkeypatch.setenv("CLAPBOARD_LEDGER", ledger_url)
    with open_ledger(ledger_url) as ledger, ledger.session() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    if ledger_url.startswith("sqlite"):
        assert back_up(Home(tmp_path / "home"), tmp_path / "kept").facts.revision == "9999"
        monkeypatch.setenv("CLAPBOARD_LEDGER", f"sqlite:///{tmp_path / 'other.sqlite'}")
        with pytest.raises(BackupError) as caught:
            restore(tmp_path / "kept", Home(tmp_path / "new"))
        assert caught.value.fault is BackupFault.NEWER
    else:
        with pytest.raises(LedgerError) as refused:
            back_up(Home(tmp_path / "home"), tmp_path / "kept")
        assert refused.value.fault is LedgerFault.NEWER


def test_a_mount_point_is_no_place_for_a_home(home, tmp_path):
    back_up(home, tmp_path / "kept")
    with pytest.raises(BackupError) as caught:
        restore(tmp_path / "kept", Home(Path("/dev/shm")))
    assert caught.value.fault is BackupFault.MOUNT_POINT and "/dev/shm/home" in caught.value.remedy


def test_what_was_deleted_is_not_in_a_backup(home, tmp_path):
    """SQLite leaves the bytes of deleted rows in its file until others need the room."""
    with sqlite3.connect(home.root / "ledger.sqlite") as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        told = [(f"name {number}", "nobody's business " * 50) for number in range(200)]
        connection.executemany("INSERT INTO reviewer (name, password, at) VALUES (?, ?, '2026-01-01')", told)
        connection.commit()
        connection.execute("DELETE FROM reviewer WHERE name LIKE 'name %'")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    back_up(home, tmp_path / "kept")
    assert b"nobody's business" in (home.root / "ledger.sqlite").read_bytes()
    assert b"nobody's business" not in (tmp_path / "kept" / "ledger.sqlite").read_bytes()


def test_withdrawn_versions_and_the_log_of_take_downs_come_back(home, out, tmp_path):
    with home.ledger() as ledger:
        take_down(ledger, "v", home=home, reason="asked")
    publish(home.snapshots, "auto", [sample(n, video_id="w") for n in range(3)], recipe={})
    back_up(home, out, shards=True)
    new = Home(tmp_path / "new")
    restore(out, new)
    assert [one.id for one in list_snapshots(new.snapshots)] == ["auto/v3"]
    with pytest.raises(SnapshotError, match="withdrawn: asked"):
        open_snapshot(new.snapshots, "auto/v1")
    assert log(new.snapshots) == log(home.snapshots)
    assert rows(new.ledger_url) == rows(home.ledger_url)


def test_what_is_taken_down_while_a_backup_is_made_is_not_in_what_is_restored(home, out, tmp_path):
    """The ledger is read first; the take-down comes right after."""
    begun = []

    def meanwhile(done, total, name):
        if not begun:
            begun.append(name)
            with home.ledger() as ledger:
                take_down(ledger, "v", home=home, reason="asked")

    back_up(home, out, shards=True, progress=meanwhile)
    new = Home(tmp_path / "new")
    restore(out, new)
    assert list_snapshots(new.snapshots) == []
    with new.ledger(must_exist=True) as ledger, ledger.session() as session:
        assert session.scalars(select(TakedownRow.video_id)).all() == ["v"]
        assert session.get_one(Video, "v").fetch == "taken_down"


def test_a_take_down_that_the_log_knows_and_the_ledger_does_not_is_done_again(home, out, tmp_path, monkeypatch):
    """An old backup, restored beside snapshots that lie elsewhere and went on."""
    store = tmp_path / "store"
    shutil.move(home.snapshots, store)
    monkeypatch.setenv("CLAPBOARD_SNAPSHOTS", str(store))
    back_up(home, out)
    with home.ledger() as ledger:
        take_down(ledger, "v", home=home, reason="asked")
    before = tree(store)
    done = restore(out, Home(tmp_path / "new"))
    assert (done.forgotten, done.snapshots_elsewhere) == (("v",), True)
    assert tree(store) == before and not (tmp_path / "new" / "snapshots").exists()
    with Home(tmp_path / "new").ledger(must_exist=True) as ledger, ledger.session() as session:
        row = session.scalars(select(TakedownRow)).one()
        assert (row.video_id, row.reason, row.snapshots) == ("v", "asked", ["auto/v1", "auto/v2"])


def test_snapshots_of_an_object_store_are_kept_and_come_back_as_folders(home, out, tmp_path, bucket, monkeypatch):
    monkeypatch.setenv("CLAPBOARD_SNAPSHOTS", bucket)
    publish(home.snapshots, "auto", [sample(n) for n in range(8)], recipe={}, clips_per_shard=4)
    publish(home.snapshots, "auto", [sample(n) for n in range(9)], recipe={}, clips_per_shard=4)
    back_up(home, out, shards=True)
    monkeypatch.delenv("CLAPBOARD_SNAPSHOTS")
    new = Home(tmp_path / "new")
    restore(out, new)
    assert [verify(one) for one in list_snapshots(new.snapshots)] == [[], []]


def fresh_database(postgres: str) -> str:
    server = make_url(postgres)
    name = f"restored_{os.urandom(4).hex()}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.set(database=name).render_as_string(hide_password=False)


@pytest.mark.parametrize(("here", "there"), [("server", "server"), ("server", "file"), ("file", "server")])
def test_a_ledger_comes_back_in_either_kind_of_database(postgres, tmp_path, monkeypatch, here, there):
    source = fresh_database(postgres) if here == "server" else f"sqlite:///{tmp_path / 'elsewhere.sqlite'}"
    monkeypatch.setenv("CLAPBOARD_LEDGER", source)
    with open_ledger(source) as ledger:
        fill(ledger)
    back_up(Home(tmp_path / "home"), tmp_path / "kept")

    target = fresh_database(postgres) if there == "server" else f"sqlite:///{tmp_path / 'new.sqlite'}"
    monkeypatch.setenv("CLAPBOARD_LEDGER", target)
    new = Home(tmp_path / "new")
    restore(tmp_path / "kept", new)
    assert rows(target) == rows(source)
    assert not (new.root / "ledger.sqlite").exists() and new.root.is_dir()
    with open_ledger(target) as ledger, ledger.session() as session:
        # Numbers go on behind those that came.
        session.add(VerdictRow(clip_id="c", reviewer="cy", verdict="accept", key="3"))
        session.flush()
        assert session.scalar(select(func.max(VerdictRow.id))) == 3
    with pytest.raises(BadInput):
        restore(tmp_path / "kept", Home(tmp_path / "other"))
    assert not (tmp_path / "other").exists()


def test_two_backups_at_once_do_not_meet(home, tmp_path):
    faults = []

    def one(number):
        try:
            back_up(home, tmp_path / "kept" / f"{number}.tar", shards=True)
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    for number in range(4):
        restore(tmp_path / "kept" / f"{number}.tar", Home(tmp_path / f"new{number}"))
