"""Who names no recipe gets `published` once its weights are here, in a deployment too; and it is said."""

import json

import pytest
from typer.testing import CliRunner

from curation.accounting.networks import World, note
from curation.home.folder import Home
from curation.scores.registry import build
from curation.settings.recipe import Recipe, load_recipe
from flows.artifacts import leave_funnel
from flows.cli.app import app
from flows.cli.options import recipe_of
from flows.curate import CurateParams
from flows.doctor import _networks
from flows.findings import State
from flows.operate.up import _environment
from flows.pipeline import PipelineParams
from flows.presets import default_preset, preset_path
from flows.publish import PublishParams
from shards.errors import Unavailable

LACK = Unavailable("weights absent", remedy="clapboard weights fetch pe-av")


@pytest.fixture(params=[[], [LACK]], ids=["all here", "one lacks"])
def lacking(request, monkeypatch):
    monkeypatch.setattr("flows.presets.lacks", lambda: request.param)
    monkeypatch.setattr("curation.accounting.networks.lacks", lambda: request.param)
    return request.param


def test_the_command_line_and_every_deployment_take_the_same(lacking):
    wanted = load_recipe(preset_path("default" if lacking else "published"))
    asked = {"sources": ["links.csv"]}
    for params in (CurateParams(**asked), PipelineParams(**asked), PublishParams()):
        assert params.recipe == wanted
    assert recipe_of(None) == wanted
    assert default_preset() == ("default" if lacking else "published")


def test_a_recipe_that_is_named_is_taken_whatever_is_here(lacking, tmp_path):
    (tmp_path / "mine.yaml").write_text("scores: [motion]")
    assert recipe_of(str(tmp_path / "mine.yaml")).scores == ["motion"]
    assert recipe_of("default") == Recipe()
    assert CurateParams(sources=[], recipe=Recipe(scores=["sync"])).recipe.scores == ["sync"]


def test_what_the_environment_names_is_taken_by_whoever_names_none(lacking, tmp_path, monkeypatch):
    mine = tmp_path / "mine.yaml"
    mine.write_text("review: {per_class: 40}")
    monkeypatch.setenv("CLAPBOARD_RECIPE", str(mine))
    for params in (CurateParams(), PipelineParams(), PublishParams()):
        assert params.recipe == recipe_of(None) == load_recipe(mine)
    assert recipe_of("default") == Recipe(), "and not by who names one"
    monkeypatch.setenv("CLAPBOARD_RECIPE", "offline")
    assert recipe_of(None) == load_recipe(preset_path("offline"))


def test_up_refuses_a_recipe_that_is_wrong_and_tells_its_workers_where_a_right_one_lies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLAPBOARD_RECIPE", "mine.yaml")
    home = Home(tmp_path / "home")
    (tmp_path / "mine.yaml").write_text("scoers: [motion]")
    said = CliRunner().invoke(app, ["up", "--home", str(home.root)])
    assert said.exit_code and "mine.yaml" in str(said.exception) and "scoers" in str(said.exception)
    assert _environment(home, "")["CLAPBOARD_RECIPE"] == str(tmp_path / "mine.yaml"), "they work in other folders"


def test_the_doctor_says_which_it_is_and_what_to_fetch(lacking):
    found = _networks()
    assert found.state is (State.LACKING if lacking else State.OK)
    assert found.remedy == (LACK.remedy if lacking else "")
    assert "published" in found.found


def test_the_preset_demands_the_four_networks_and_names_scores_that_exist():
    recipe = load_recipe(preset_path("published"))
    assert {"clip", "clap", "pe_av", "synchformer"} <= set(recipe.scores)
    assert len(build([*recipe.scores, *recipe.optional_scores])) == len(recipe.scores) + len(recipe.optional_scores)


def test_the_funnel_says_what_decided(tmp_path, monkeypatch):
    Home(tmp_path).ledger()
    note(tmp_path, World((), ()))
    said = CliRunner().invoke(app, ["funnel", "--home", str(tmp_path)]).output
    assert "This run was decided by signal scores alone" in said
    lines = CliRunner().invoke(app, ["funnel", "--home", str(tmp_path), "--json"]).output.splitlines()
    assert all("entered" in json.loads(line) for line in lines)
    kept = {}
    monkeypatch.setattr("flows.artifacts.create_markdown_artifact", lambda **what: kept.update(what))
    leave_funnel([], decided=World((), ()).told)
    assert "decided by signal scores alone" in kept["description"]
