"""`clapboard doctor` on the cage that links are fetched in, and on proxies."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from curation.fetch.holding import Holds, what_holds
from curation.home.folder import Home
from flows.cli.app import app
from flows.doctor_cage import LACKS, cage, examine_cage, proxies
from flows.findings import State

WHOLE = Holds(network=True, reading=True, emptying=True, memory=True)


def test_a_whole_cage_is_one_line():
    (said,) = cage(WHOLE)
    assert said.state is State.OK and "without a network" in said.found


@pytest.mark.parametrize("name", Holds.__slots__)
def test_each_thing_that_does_not_hold_is_a_line_with_its_remedy(name):
    (said,) = cage(replace(WHOLE, **{name: False}))
    assert (said.part, said.state) == (f"fetch cage: {name}", State.LACKING) and said.remedy == LACKS[name][1]


def test_a_machine_without_any_of_it_is_told_each():
    assert len([*cage(Holds(network=False, reading=False, emptying=False, memory=False))]) == len(Holds.__slots__)


def test_it_is_what_a_cage_of_this_machine_finds(tmp_path):
    *said, about_proxies = examine_cage(Home(tmp_path))
    assert said == [*cage(what_holds(tmp_path))] and about_proxies.part == "proxies"


def test_a_machine_that_starts_no_process_is_blocked(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    said, _ = examine_cage(Home(tmp_path / "no home"))
    assert said.state is State.BLOCKED and said.remedy


class TestProxies:
    def test_none_is_fine(self):
        assert proxies({"PATH": "/bin", "HTTPS_PROXY": ""}).state is State.OK

    @pytest.mark.parametrize("name", ["HTTP_PROXY", "https_proxy", "ALL_PROXY"])
    def test_one_is_named_without_its_password_and_with_what_it_means(self, name):
        said = proxies({name: "http://ada:secret@proxy.example:3128"})
        assert said.state is State.LACKING and said.found.startswith(f"{name}: links are fetched without it")
        assert "looks up names" in said.found and "fetch.proxy" in said.remedy
        assert "secret" not in f"{said}"


def test_the_command_says_it_as_json(tmp_path, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    ran = CliRunner().invoke(app, ["doctor", "--home", str(tmp_path / "home"), "--json"])
    said = {one["part"]: one for one in map(json.loads, ran.stdout.splitlines())}
    assert any(part.startswith("fetch cage") for part in said)
    assert said["proxies"]["state"] == "lacking" and "HTTPS_PROXY" in said["proxies"]["found"]
