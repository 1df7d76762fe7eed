"""`clapboard backup` and `restore` say what they did, and what is left to do."""

import json

import pytest
from typer.testing import CliRunner

from curation.home.folder import Home
from flows.cli.app import app
from shards.errors import BadInput
from shards.publishing import publish
from tests.shards.conftest import sample


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in ("CLAPBOARD_LEDGER", "CLAPBOARD_SNAPSHOTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    home = Home(tmp_path / "home")
    with home.ledger():
        pass
    publish(home.snapshots, "auto", [sample(n) for n in range(3)], recipe={})
    return home


def clapboard(*arguments: str):
    return CliRunner().invoke(app, arguments)


def test_a_home_goes_into_a_file_and_comes_out_of_it(home, tmp_path):
    told = clapboard("backup", "kept.tar", "--home", "home").stdout
    assert told.startswith("kept.tar: 5 files") and "clapboard restore kept.tar --home NEW_FOLDER" in told
    told = clapboard("restore", "kept.tar", "--home", "new").stdout
    assert "every byte as written" in told
    assert "auto/v1 has no shards: put them into its folder, or: clapboard snapshot withdraw auto/v1" in told
    assert (tmp_path / "new" / "snapshots" / "auto" / "v1" / "README.md").is_file()


def test_json_is_json_alone(home, tmp_path):
    told = json.loads(clapboard("backup", "kept", "--with-shards", "--home", "home", "--json").stdout)
    assert (told["snapshots"], told["files"], told["ledger"]) == (["auto/v1"], 6, "sqlite")
    told = json.loads(clapboard("restore", "kept", "--home", "new", "--json").stdout)
    assert (told["upgraded"], told["without_shards"]) == (False, [])


def test_what_is_no_backup_is_an_error_with_a_remedy(home):
    done = clapboard("restore", "home", "--home", "new")
    assert isinstance(done.exception, BadInput) and "is no backup" in done.exception.message
    done = clapboard("restore", "nowhere.tar", "--home", "new")
    assert isinstance(done.exception, BadInput) and "is not there" in done.exception.message
