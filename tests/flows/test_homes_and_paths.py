"""A mistyped path is said to be one: nothing is reported about it, and nothing is made at it."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli.app import app
from shards.errors import BadInput

ROOT = Path(__file__).resolve().parent.parent.parent
READING = (
    ["funnel"],
    ["funnel", "--json"],
    ["explain", "a clip"],
    ["review", "list"],
    ["review", "progress"],
    ["review", "export", "answers.csv"],
    ["review", "account", "list"],
)


@pytest.fixture(autouse=True)
def plain(monkeypatch, tmp_path):
    monkeypatch.delenv("CLAPBOARD_LEDGER", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_looking_at_a_home_that_is_not_there_is_an_error_and_makes_none(tmp_path, command):
    done = CliRunner().invoke(app, [*command, "--home", str(tmp_path / "typo")])
    assert isinstance(done.exception, BadInput) and "there is no home at" in done.exception.message
    assert list(tmp_path.iterdir()) == [], done.output


def test_protecting_no_video_is_an_error(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").touch()
    done = CliRunner().invoke(app, ["protect", "AVSync15", str(tmp_path / "empty"), "--home", str(tmp_path / "home")])
    assert isinstance(done.exception, BadInput) and "there is no video in" in done.exception.message
    assert ".mp4" in done.exception.remedy
    assert not (tmp_path / "home").exists()


def test_the_package_runs_as_the_command():
    command = [sys.executable, "-m", "flows.cli", "funnel", "--home", "typo"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "there is no home at" in done.stderr and "mend:" in done.stderr
