"""What Prefect writes down and shows of a run holds no password and no key of a link."""

import json

import pytest

from curation.settings.recipe import Recipe
from flows.curate import CurateParams, curate
from flows.pipeline import PipelineParams, pipeline
from flows.secrets import redacted

SOURCES = [
    "https://ann:hunter2@example.org/list.csv",
    "list:https://hunter2@example.org/playlist?list=PL1&key=hunter2",
    "prefix:https://ann:p@ss:hunter2@example.org/films/?sig=hunter2",
    "s3://hunter2:hunter2@bucket/films",
    "https://example.org/v.mp4?X-Amz-Signature=hunter2&v=7;token=hunter2#access_token=hunter2",
]


@pytest.mark.parametrize(
    ("flow", "params"), [(curate, CurateParams), (pipeline, PipelineParams)], ids=["curate", "pipeline"]
)
def test_what_a_server_gets_to_see_holds_no_secret_and_the_flow_gets_all(tmp_path, flow, params):
    recipe = Recipe.model_validate({"fetch": {"proxy": "http://ann:hunter2@127.0.0.1:8080"}})
    given = params(sources=SOURCES, home=tmp_path, recipe=recipe)
    sent = json.dumps(flow.serialize_parameters({"params": given}))
    assert "hunter2" not in sent and "example.org" in sent and "PL1" in sent
    assert given.sources == SOURCES and "hunter2" in given.recipe.fetch.proxy_link()


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("https://www.youtube.com/watch?v=abc&list=PL1", "https://www.youtube.com/watch?v=abc&list=PL1"),
        ("https://me:pw@host/a?v=1&sig=2#k", "https://***@host/a?v=1&sig=***#***"),
        ("https://me:a@b@host/a", "https://***@host/a"),
        ("ytsearch50:drum & bass = loud #1", "ytsearch50:drum & bass = loud #1"),
        ("films/a#1?x=2.mp4", "films/a#1?x=2.mp4"),
        ("s3://bucket/key", "s3://bucket/key"),
    ],
)
def test_a_link_is_shown_without_what_opens_doors(link, said):
    assert redacted(link) == said
