"""Whatever does not come of a source can be named, line by line."""

import json

import pytest
from typer.testing import CliRunner

from curation.fetch.settings import FetchSettings
from curation.home.folder import Home
from curation.sources.read import iter_sources
from curation.steps.ingest import fetch_video, register, videos_to_fetch
from flows.cli.app import app


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home that read a table of five lines: one good, one odd, two faults, one that is not there."""
    monkeypatch.delenv("CLAPBOARD_LEDGER", raising=False)
    (tmp_path / "a.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(2000))
    lines = [
        "path,start,caption",
        "a.mp4,1,fine",
        'a.mp4,2,"one\ntwo"',
        'a.mp4,3,"open',
        "a.mp4,x,bad",
        "gone.mp4,,\x1b[2J",
    ]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    place = Home(tmp_path / "home")
    with place.ledger() as ledger:
        register(ledger, iter_sources([tmp_path / "t.csv"]))
        for video_id in videos_to_fetch(ledger):
            fetch_video(ledger, video_id, home=place, settings=FetchSettings())
    return place.root


def run(*words):
    done = CliRunner().invoke(app, [*map(str, words)])
    assert done.exit_code == 0, done.output
    return done.output


def test_the_funnel_names_each_line_that_is_not_as_it_should_be(home):
    said = run("funnel", "--lines", "--home", home)
    assert [line.partition("t.csv:")[2].split(": ")[:2] for line in said.splitlines()] == [
        ["3", "ok"],
        ["5", "bad_line"],
        ["6", "bad_span"],
        ["7", "file_missing"],
    ]
    assert "a line break" in said and "mend: " in said
    told = [json.loads(line) for line in run("funnel", "--lines", "--json", "--home", home).splitlines()]
    assert [(one["row"], one["outcome"], bool(one["remedy"])) for one in told][:2] == [
        (3, "ok", False),
        (5, "bad_line", True),
    ]


def test_the_funnel_says_that_there_are_such_lines_and_how_to_see_them(home):
    assert f"3 lines of sources are faults or were odd; each by name: clapboard funnel --lines --home {home}" in run(
        "funnel", "--home", home
    )
