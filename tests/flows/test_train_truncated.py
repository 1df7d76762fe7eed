"""A snapshot that lost bytes stops training before its hours begin, and a plan of it too."""

import json

import pytest
from typer.testing import CliRunner

from flows.cli.app import app
from shards.errors import SnapshotError
from shards.publishing import publish
from tests.shards.conftest import sample
from training.settings.config import stage_config
from training.stages.stage import train_stage


@pytest.fixture
def home(tmp_path):
    publish(tmp_path / "home" / "snapshots", "auto", [sample(number) for number in range(4)], recipe={})
    return tmp_path / "home"


def plan(home):
    return CliRunner().invoke(app, ["train", "--stage", "1", "--dry-run", "--json", "--home", str(home)])


@pytest.mark.parametrize("left", ["half", "nothing", "no file"])
def test_a_shard_that_was_cut_short_is_told_by_a_plan_and_ends_a_run(home, left):
    shard = home / "snapshots" / "auto" / "v1" / "000000.tar"
    whole = shard.read_bytes()
    shard.unlink()
    if left != "no file":
        shard.write_bytes(whole[: len(whole) // 2 if left == "half" else 0])
    warned = [one for one in json.loads(plan(home).stdout)["warnings"] if "000000.tar" in one]
    assert len(warned) == 1 and "snapshot verify auto/v1" in warned[0]
    with pytest.raises(SnapshotError):
        train_stage(stage_config(1, device="cpu"), snapshots_root=home / "snapshots", runs_root=home / "training")
