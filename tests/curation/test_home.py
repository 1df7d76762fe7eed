"""A home is made by what writes to it, and is an error for what only looks."""

import pytest

from curation.home.folder import Home, file_of
from shards.errors import BadInput


@pytest.fixture(autouse=True)
def no_named_ledger(monkeypatch):
    monkeypatch.delenv("CLAPBOARD_LEDGER", raising=False)


def test_who_writes_makes_the_home_and_who_looks_finds_it(tmp_path):
    home = Home(tmp_path / "a" / "home")
    with home.ledger():
        assert file_of(home.ledger_url).is_file()
    with home.ledger(must_exist=True) as ledger, ledger.session():
        pass


def test_who_looks_at_a_home_that_is_not_there_makes_none(tmp_path):
    home = Home(tmp_path / "typo")
    with pytest.raises(BadInput, match=r"there is no home at .*typo") as caught:
        home.ledger(must_exist=True)
    assert "--home" in caught.value.remedy
    assert not home.root.exists()


def test_a_named_file_is_the_ledger_that_must_exist(tmp_path, monkeypatch):
    file = tmp_path / "ledgers" / "ours.sqlite"
    monkeypatch.setenv("CLAPBOARD_LEDGER", f"sqlite:///{file}")
    home = Home(tmp_path / "home")
    with pytest.raises(BadInput, match=r"ours\.sqlite is missing"):
        home.ledger(must_exist=True)
    file.parent.mkdir()
    with home.ledger():
        pass
    (tmp_path / "home").rmdir()
    with home.ledger(must_exist=True):
        assert not home.root.exists(), "the ledger is there, and nothing else is needed to look at it"


@pytest.mark.parametrize("url", ["postgresql://host/name", "postgresql+psycopg://u:p@host", "sqlite://", "nonsense"])
def test_a_ledger_on_a_server_or_in_memory_has_no_file(url):
    assert file_of(url) is None


def test_a_ledger_on_a_server_is_asked_whatever_lies_in_the_home(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setenv("CLAPBOARD_LEDGER", "postgresql://host/name")
    monkeypatch.setattr("curation.home.folder.open_ledger", asked.append)
    Home(tmp_path / "typo").ledger(must_exist=True)
    assert asked == ["postgresql://host/name"]
