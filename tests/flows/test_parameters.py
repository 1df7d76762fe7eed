"""What a run is told in Prefect's form: a preset, settings on top of it, and what the run is called then."""

import pytest
from pydantic import ValidationError

from curation.settings.recipe import Recipe, load_recipe
from flows.curate import CurateParams
from flows.names import dated, named_sources
from flows.pipeline import PipelineParams
from flows.presets import preset_path
from flows.publish import PublishParams
from flows.study.run import StudyParams
from flows.train import BothParams, TrainParams


@pytest.mark.parametrize("params", [CurateParams, PipelineParams, PublishParams])
def test_a_few_settings_lie_on_top_of_a_preset(params):
    demo = load_recipe(preset_path("demo"))
    told = {"review": {"targets": {"bell": 3}}, "fetch": {"retries": 2}, "scores": ["motion"]}
    found = params(preset="demo", recipe=told).recipe
    assert found.review == demo.review.model_copy(update={"targets": {"bell": 3}})
    assert found.fetch == demo.fetch.model_copy(update={"retries": 2}) and found.scores == ["motion"]
    assert found.publish == demo.publish
    assert params(preset="demo").recipe == params(preset="demo", recipe=None).recipe == demo


def test_a_recipe_file_is_counted_from_the_home_that_the_machines_share(tmp_path):
    (tmp_path / "mine.yaml").write_text("review: {per_class: 40, targets: {bell: 3}}")
    mine = load_recipe(tmp_path / "mine.yaml")
    assert CurateParams(home=tmp_path, preset="mine.yaml").recipe == mine
    assert CurateParams(preset=str(tmp_path / "mine.yaml")).recipe == mine
    # A table of names is what was given, not that and what was there.
    assert CurateParams(
        home=tmp_path, preset="mine.yaml", recipe={"review": {"targets": {"wood": 1}}}
    ).recipe.review == (mine.review.model_copy(update={"targets": {"wood": 1}}))


def test_what_is_written_down_of_a_run_is_read_again_as_it_was():
    given = CurateParams(preset="demo", recipe={"review": {"targets": {"bell": 3}}})
    assert CurateParams.model_validate(given.model_dump(mode="json")).recipe == given.recipe
    whole = Recipe(scores=["sync"])
    assert CurateParams(recipe=whole).recipe is whole


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"preset": "nope"}, "there is no preset 'nope' .*published"),
        ({"preset": "nope.yaml"}, "cannot read .*nope.yaml"),
        ({"recipe": {"fetch": {"timout_s": 1}}}, "this run is wrong at fetch.timout_s: .*docs/recipes.md"),
        ({"recipe": {"review": {"per_class": "many"}}}, "wrong at review.per_class: .*valid integer"),
        ({"recipe": {"fetch": 3}}, "wrong at fetch"),
        ({"recipe": ["fetch"]}, "wrong at the top"),
        ({"resipe": {}}, "resipe"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence_without_what_else_was_given(given, words):
    secret = {"recipe": {"fetch": {"proxy": "http://ann:hunter2@127.0.0.1:8080"}}}
    with pytest.raises(ValidationError, match=words) as caught:
        CurateParams(**secret | given)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("sources", "name"),
    [
        ([], "standing sources"),
        (["/data/vggsound.csv"], "vggsound"),
        (["/data/films"], "films"),
        (["a.csv", "b.csv", "c.csv"], "3 sources"),
        (["https://ann:hunter2@example.org/hunter2/list.csv?key=hunter2#hunter2"], "example.org"),
        (["list:https://hunter2@www.youtube.com/playlist?list=PL1&key=hunter2"], "www.youtube.com"),
        (["s3://hunter2:hunter2@bucket/films"], "bucket"),
        (["ytsearch50:drum loud"], "ytsearch50:drum loud"),
        (["x" * 90], "x" * 40),
    ],
)
def test_a_run_is_named_by_its_sources_and_the_day_and_by_no_secret(sources, name):
    assert named_sources(sources) == name
    assert CurateParams(sources=sources).run_name == dated("curate", name)
    assert PipelineParams(sources=sources).run_name == dated("pipeline", name)


def test_other_runs_say_what_they_do():
    assert PublishParams().run_name == dated("publish curated")
    assert TrainParams(stage=1, snapshot="auto/v3").run_name == dated("train stage 1 of drawn on auto/v3")
    assert TrainParams(stage=2).run_name == dated("train stage 2 of drawn")
    assert BothParams(backbone="tiny").run_name == dated("train both stages of tiny")
    assert StudyParams().run_name == dated("study tiny")
