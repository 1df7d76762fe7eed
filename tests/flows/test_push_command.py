"""`clapboard snapshot push`: what it says, and that the ledger's word on take-downs counts."""

import json

import pytest
from typer.testing import CliRunner

from curation.home.folder import Home
from curation.ledger.tables import TakedownRow
from flows.cli.app import app
from shards.errors import BadInput, SnapshotError
from shards.hub_errors import HubError, HubFault
from shards.publishing import publish
from tests.shards.conftest import sample
from tests.shards.hub_server import TOKEN, point_to, running


@pytest.fixture
def hub(monkeypatch):
    with running() as hub:
        point_to(hub, monkeypatch)
        yield hub


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("CLAPBOARD_LEDGER", "CLAPBOARD_SNAPSHOTS"):
        monkeypatch.delenv(name, raising=False)
    home = Home(tmp_path / "home")
    publish(home.snapshots, "auto", [sample(n) for n in range(3)], recipe={})
    return home


def push(home, *more: str):
    return CliRunner().invoke(app, ["snapshot", "push", "auto", "films", "--home", str(home.root), *more])


def test_it_says_where_the_snapshot_lies_now(hub, home):
    told = push(home).stdout
    assert told.startswith(f"{hub.url}/datasets/me/films: 5 files sent, ") and "0 were there already" in told
    assert hub.repos["me/films"].private
    assert "nothing to send; 5 were there already" in push(home).stdout
    assert TOKEN not in told


def test_json_is_json_alone_and_public_is_public(hub, home):
    told = json.loads(push(home, "--json", "--public").stdout)
    assert (told["sent"], told["removed"]) == (5, 0)
    assert not hub.repos["me/films"].private


def test_what_the_ledger_knows_to_be_taken_down_is_not_sent(hub, home):
    with home.ledger() as ledger, ledger.session() as session:
        session.add(TakedownRow(video_id="v", link="l", reason="asked", snapshots=[]))
    done = push(home)
    assert isinstance(done.exception, SnapshotError) and "3 clips whose removal was demanded" in done.exception.message
    assert hub.asked == []


def test_errors_are_typed(hub, home):
    hub.refuse = {"commit": 403}
    error = push(home).exception
    assert isinstance(error, HubError) and error.fault is HubFault.NO_RIGHTS and error.exit_code == 3
    done = CliRunner().invoke(app, ["snapshot", "push", "curated", "films", "--home", str(home.root)])
    assert isinstance(done.exception, SnapshotError)


def test_no_token_can_be_given_on_the_command_line(home):
    assert push(home, "--token", TOKEN).exit_code == 2
    assert not isinstance(push(home, "--token", TOKEN).exception, BadInput)
