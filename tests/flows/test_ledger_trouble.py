"""A ledger or a disk that cannot go on ends a command with one sentence and what mends it, and no secret is shown."""

import random
import shutil
import sqlite3
import subprocess
import sys
import textwrap
import traceback

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from curation.home.folder import Home
from curation.ledger.faults import LedgerError, LedgerFault
from curation.ledger.open import open_ledger
from curation.ledger.tables import ClipRow, ScoreRow, SourceEntry, Video, WindowRow
from flows.cli.app import app
from flows.doctor import _ledger
from flows.findings import State
from shards.errors import BadInput

PAGE = 4096
COMMANDS = (
    ["funnel"],
    ["explain", "v7"],
    ["review", "list"],
    ["review", "progress"],
    ["review", "export", "answers.csv"],
    ["takedown", "v7", "--reason", "asked"],
    ["calibrate"],
)


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A home whose ledger has some hundred pages."""
    home = Home(tmp_path_factory.mktemp("filled"))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CLAPBOARD_LEDGER", raising=False)
        with home.ledger() as ledger, ledger.session() as session:
            for number in range(300):
                add(session, number)
    with sqlite3.connect(home.root / "ledger.sqlite") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return home


def add(session, number):
    """A video with a row, a window, a score and a clip."""
    video, row, window = f"v{number}", f"r{number}", f"w{number}"
    link = f"https://example.org/{number}/{'x' * 100}"
    session.add(Video(id=video, link=link, local=False, fetch="ok", analysis="ok", cuts_us=[1, 2], duration_us=10**7))
    words = {"caption": "a dog barks", "label": "dog", "licence": "", "outcome": "ok", "detail": "", "proposal": "ok"}
    session.add(SourceEntry(id=row, table_name="t", row=number, video_id=video, **words))
    session.flush()
    span = {"video_id": video, "source_id": row, "start_us": 0, "end_us": 10**6}
    session.add(WindowRow(id=window, shot=0, crosses_cut=False, **span))
    session.flush()
    session.add(ScoreRow(window_id=window, name="sync", version=4, settings="", columns={"p_in_sync": 0.5}))
    decided = {"band": "review", "reasons": ["weak_synchrony"], "p_good": 0.5, "policy": "p", "audit": False}
    session.add(ClipRow(id=f"c{number}", scores={"p": 0.1}, current=True, cut=None, **span, **decided))


@pytest.fixture
def home(filled, tmp_path, monkeypatch):
    monkeypatch.delenv("CLAPBOARD_LEDGER", raising=False)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(filled.root, tmp_path / "home")
    return Home(tmp_path / "home")


def file_in(home):
    return home.root / "ledger.sqlite"


def damage(home, page, kind):
    """Overwrite one page but the first one's header."""
    data, first, chance = bytearray(file_in(home).read_bytes()), max(page * PAGE, 100), random.Random(page)
    last = (page + 1) * PAGE
    if kind == "noise":
        data[first:last] = chance.randbytes(last - first)
    else:
        for _ in range(60):
            data[chance.randrange(first, last)] = chance.randrange(256)
    file_in(home).write_bytes(data)


def run(home, command):
    return CliRunner().invoke(app, [*command, "--home", str(home.root)])


@pytest.mark.parametrize("kind", ["noise", "spots"])
def test_a_damaged_page_ends_no_command_with_a_traceback(home, kind):
    good, told = file_in(home).read_bytes(), []
    for page in random.Random(kind).sample(range(len(good) // PAGE), 4):
        for command in COMMANDS:
            file_in(home).write_bytes(good)
            damage(home, page, kind)
            done = run(home, command).exception
            assert done is None or isinstance(done, BadInput | SystemExit), (page, command, repr(done))
            told += [done] if isinstance(done, LedgerError) else []
    assert told and all("BACKUP" in one.remedy for one in told)


class TestADamagedPage:
    @pytest.fixture(autouse=True)
    def damaged(self, home):
        """The last page, which few commands have to read."""
        damage(home, file_in(home).stat().st_size // PAGE - 1, "noise")

    def test_is_what_the_doctor_finds(self, home):
        found = _ledger(home)
        assert found.state is State.BLOCKED and "is damaged" in found.found and ".backup" in found.remedy

    def test_stops_a_take_down_before_anything_is_changed(self, home):
        before = file_in(home).read_bytes()
        done = run(home, ["takedown", "v7", "--reason", "asked"]).exception
        assert isinstance(done, LedgerError) and done.fault is LedgerFault.DAMAGED
        assert file_in(home).read_bytes() == before

    def test_stops_a_publication(self, home):
        from curation.settings.recipe import Recipe
        from flows.publish import PublishParams, publish_curated

        with pytest.raises(LedgerError) as caught:
            publish_curated.fn(PublishParams(home=home.root, recipe=Recipe()))
        assert caught.value.fault is LedgerFault.DAMAGED


def test_what_the_remedy_says_brings_a_backup_back(home):
    file = file_in(home)
    with sqlite3.connect(file) as connection:
        connection.execute("VACUUM INTO ?", (str(home.root / "BACKUP"),))
    connection.close()
    damage(home, file.stat().st_size // PAGE - 1, "noise")
    command = _ledger(home).remedy.partition(", with")[0]
    subprocess.run(["sh", "-c", command], check=True, cwd=home.root)
    assert _ledger(home).state is State.OK and run(home, ["funnel"]).exit_code == 0


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_ledger_of_a_newer_version_says_so(home, command):
    with open_ledger(home.ledger_url) as ledger, ledger.session() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    done = run(home, command).exception
    assert isinstance(done, LedgerError) and done.fault is LedgerFault.NEWER and "upgrade" in done.remedy


def test_a_ledger_that_another_process_keeps_is_said_to_be_busy(home, monkeypatch):
    monkeypatch.setattr("curation.ledger.open.PRAGMAS", ("busy_timeout=100", "journal_mode=WAL"))
    with open_ledger(home.ledger_url) as ledger, sqlite3.connect(file_in(home)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError) as caught, ledger.session() as session:
            session.get_one(Video, "v1").title = "new"
        other.rollback()
    other.close()
    assert caught.value.fault is LedgerFault.LOCKED and "run the same command again" in caught.value.remedy


def test_a_home_is_made_for_its_owner_alone(tmp_path, monkeypatch):
    monkeypatch.delenv("CLAPBOARD_LEDGER", raising=False)
    home = Home(tmp_path / "new")
    with home.ledger() as ledger, ledger.session() as session:
        session.execute(text("SELECT 1"))
        modes = {path.name: path.stat().st_mode & 0o777 for path in home.root.iterdir()}
    assert home.root.stat().st_mode & 0o777 == 0o700
    assert set(modes.values()) == {0o600}, modes


def test_rights_that_somebody_gave_are_left_and_the_doctor_tells_of_them(home):
    home.root.chmod(0o755)
    file_in(home).chmod(0o644)
    found = _ledger(home)
    assert found.state is State.LACKING and "chmod 600" in found.remedy
    assert file_in(home).stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:hunter2@127.0.0.1:1/name",
        "postgresql://127.0.0.1:1/name?password=hunter2&user=ann",
        "postgresql://127.0.0.1:1/name?hunter2=1",
        "postgresql:///name?host=hunter2.invalid&password=hunter2",
        "postgresql://ann:hunter2@127.0.0.1:port/name",
        "postgresql://ann:hunter2@127.0.0.1:99999999/name?password=hunter2",
        "postgresql://ann:hunter2@[::1/name",
        "hunter2",
        "sqlite:////no/such/folder/ledger.sqlite?password=hunter2",
        "oracle+nothing://ann:hunter2@host/name?password=hunter2",
    ],
)
def test_no_password_and_no_part_of_a_query_is_shown(tmp_path, monkeypatch, url):
    monkeypatch.setenv("CLAPBOARD_LEDGER", url)
    done = CliRunner().invoke(app, ["takedown", "v7", "--reason", "asked", "--home", str(tmp_path / "home")]).exception
    assert isinstance(done, BadInput) and done.remedy, repr(done)
    found = _ledger(Home(tmp_path / "home"))
    # A flow's log tells what an error came from, too.
    assert "hunter2" not in "".join(traceback.format_exception(done)) + found.found + found.remedy


SMALL = """
mount -t tmpfs -o size=2m tmpfs {disk}
export CLAPBOARD_HOME={disk}/home
"""


@pytest.fixture(scope="session")
def may_mount():
    done = subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True)
    if done.returncode:
        pytest.skip("this system lets no user mount a disk of their own")


def on_a_small_disk(tmp_path, script):
    disk = tmp_path / "disk"
    disk.mkdir()
    command = SMALL.format(disk=disk) + textwrap.dedent(script)
    return subprocess.run(["unshare", "-rm", "sh", "-ec", command], capture_output=True, text=True, timeout=120)


FILL = """
import os, sys
from curation.home.folder import Home, default_home
from curation.fetch.settings import FetchSettings
from curation.steps.ingest import fetch_video
from curation.ledger.tables import Video
from shards.errors import ClapboardError

home = Home(default_home())
with home.ledger() as ledger:
    with ledger.session() as session:
        session.add(Video(id="v", link="http://127.0.0.1:9/v.mp4", local=False, cuts_us=[]))
    try:
        with open(home.root / "filler", "wb") as file:
            file.write(bytes(4_000_000))
    except OSError:
        pass
    try:
        print("outcome", fetch_video(ledger, "v", home=home, settings=FetchSettings(allow_loopback=True, retries=0)))
        with ledger.session() as session:
            session.get_one(Video, "v").title = "x" * 4_000_000
    except ClapboardError as error:
        print("typed", error)
"""


@pytest.mark.usefixtures("may_mount")
class TestADisk:
    def test_that_is_full_is_a_typed_error(self, tmp_path):
        (tmp_path / "fill.py").write_text(FILL)
        done = on_a_small_disk(tmp_path, f"{sys.executable} {tmp_path / 'fill.py'}")
        assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
        assert "typed" in done.stdout and "no room left" in done.stdout and "free some space" in done.stdout

    def test_that_is_full_ends_a_command_with_a_sentence(self, tmp_path):
        clapboard = f"{sys.executable} -m flows.cli"
        script = f"head -c 9m /dev/zero > {tmp_path}/disk/filler || true\n{clapboard} review account list"
        done = on_a_small_disk(tmp_path, script)
        assert done.returncode == 2 and "Traceback" not in done.stderr and "mend:" in done.stderr, done.stderr

    def test_that_is_read_only_ends_every_command_with_a_sentence(self, tmp_path, filled):
        clapboard = f"{sys.executable} -m flows.cli"
        script = f"""
        cp -r {filled.root} {tmp_path}/disk/home
        mount -o remount,ro {tmp_path}/disk
        {clapboard} funnel || echo $?
        {clapboard} curate nothing.csv || echo $?
        """
        done = on_a_small_disk(tmp_path, script)
        assert done.stdout.split() == ["2", "2"], done.stdout + done.stderr
        assert "Traceback" not in done.stderr and done.stderr.count("mend:") == 2
