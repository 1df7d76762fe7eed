"""Settings come from defaults, a file and overrides, and unknown ones are refused."""

import json
import re
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from flows.cli.app import app
from shards.errors import BadInput, Unavailable
from training.parallel import chosen_device
from training.settings.config import (
    PretrainConfig,
    Stage,
    TrainConfig,
    WindowConfig,
    load_config,
    settings_of,
    stage_config,
)


def test_stages_have_defaults_of_their_own():
    one, two = (stage_config(stage, backbone="wan2.2-ti2v-5b") for stage in Stage)
    assert (one.lr, one.snapshot, one.cosine) == (1e-4, "auto", False)
    assert (two.lr, two.snapshot, two.cosine) == (1e-5, "curated", True)


def test_overrides_beat_the_file_and_the_file_beats_the_defaults(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("steps: 7\nlr: 2e-3\npretrain:\n  steps: 5\n")
    config = load_config(file, stage=1, overrides=("steps=9", "pretrain.batch=3", "snapshot=auto/v2"))
    assert (config.steps, config.lr, config.pretrain.steps, config.pretrain.batch) == (9, 2e-3, 5, 3)
    assert config.snapshot == "auto/v2"


def test_one_file_holds_both_stages(tmp_path):
    file = tmp_path / "both.yaml"
    file.write_text("backbone: animatediff\nseed: 3\none: {steps: 5}\ntwo:\n  steps: 2\n  balance: true\n")
    one, two = (load_config(file, stage=stage, overrides=("two.replay=0.1",)) for stage in Stage)
    assert (one.backbone, one.seed, one.steps, one.balance, one.replay) == ("animatediff", 3, 5, False, 0)
    assert (two.backbone, two.seed, two.steps, two.balance, two.replay) == ("animatediff", 3, 2, True, 0.1)
    with pytest.raises(BadInput, match="no table"):
        load_config(None, stage=1, overrides=("one=5",))


@pytest.mark.parametrize(
    "override", ["stepz=9", "one.stepz=9", "pretrain.stepz=1", "lr=fast", "steps=0", "lr", "=3", "lr.x=1", ".lr=1"]
)
def test_refuses_what_it_does_not_know(override):
    with pytest.raises(BadInput):
        load_config(None, stage=1, overrides=(override,))


def test_refuses_a_file_that_is_no_table(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("- just\n- a list\n")
    with pytest.raises(BadInput, match="no table"):
        load_config(file, stage=1)
    with pytest.raises(BadInput, match="cannot read"):
        load_config(tmp_path / "none.yaml", stage=1)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["pretrain=3", "pretrain.steps=5"], "`pretrain` is 3 already"),
        (["backbone=tiny", "backbone.x=1"], "`backbone` is 'tiny' already"),
        (["one.pretrain=3", "one.pretrain.steps=5"], "`one.pretrain` is 3 already"),
        (["lr=[1,"], "--set lr=.*while parsing"),
        (["lr=2026-13-01"], "--set lr=.*month"),
        (["lr=!!bool maybe"], "--set lr=.*maybe"),
        (["lr=" + "[" * 5000], "--set lr=.*recursion"),
        (["one.backbone=tiny"], "`one` cannot have a backbone of its own"),
        (["one.stage=2"], "`one` cannot have a stage of its own"),
        (["two.stage=2"], "`two` cannot have a stage of its own"),
        (["one=0"], "`one`: 0 is no table"),
        (["encoders=[]"], "encoders.*at least 1"),
        (["one={1: 2}"], "`one`: the key 1 is no text"),
    ],
)
def test_overrides_that_cannot_be_meant_are_refused_in_words(overrides, message):
    with pytest.raises(BadInput, match=message):
        load_config(None, stage=1, overrides=tuple(overrides))


@pytest.mark.parametrize(
    "content",
    [b"1: 2\n", b"lr: [1,\n", b"\xff\xfe\x00", b"one: {backbone: tiny}\n", b"one: {3: 4}\n", b"pretrain: {1: 2}\n"],
    ids=["number as key", "malformed", "not UTF-8", "backbone of a stage", "number as key of a stage", "deeper key"],
)
def test_files_that_cannot_be_meant_are_refused_in_words(content, tmp_path):
    (tmp_path / "run.yaml").write_bytes(content)
    with pytest.raises(BadInput):
        load_config(tmp_path / "run.yaml", stage=1)


def test_settings_of_a_flow_do_not_name_its_stage_or_backbone():
    for key in ("stage", "backbone"):
        with pytest.raises(BadInput, match=f"'{key}' is no setting of a stage"):
            settings_of(1, {key: 1})


def test_tables_of_both_stages_and_of_one_meet(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("one:\npretrain:\n  steps: 5\n")
    config = load_config(file, stage=1, overrides=("one.pretrain.batch=3",))
    assert (config.pretrain.steps, config.pretrain.batch) == (5, 3)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["processes=3"], "dealt to 3 processes: `processes` may be 1, 2, 4, 8"),
        (["processes=16"], "dealt to 16 processes.*multiple of 16"),
        (["processes=2", "micro_batch=8"], "the 4 clips that a process has.*may be 1, 2, 4"),
        (["micro_batch=3"], "the 8 clips"),
    ],
)
def test_a_batch_that_processes_cannot_share_is_refused_with_what_they_can(overrides, message):
    with pytest.raises(BadInput, match=message):
        load_config(None, stage=1, overrides=("batch=8", *overrides))


def test_clips_at_once_are_those_of_one_process():
    assert stage_config(1, batch=8, processes=2).clips_at_once() == 4
    assert stage_config(1, batch=8, processes=2, micro_batch=2).clips_at_once() == 2


def test_a_missing_gpu_is_said_in_words_that_hold_for_every_command(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(Unavailable) as error:
        chosen_device("cuda")
    assert "--device cpu" in error.value.remedy and "--set device=cpu" in error.value.remedy
    assert chosen_device("auto") == chosen_device("cpu") == "cpu"


@pytest.mark.parametrize("name", ["2024", "[draft", "null", "auto/v2"])
def test_a_snapshot_named_on_the_command_line_is_taken_as_it_is(name):
    said = CliRunner().invoke(app, ["train", "--stage", "1", "--snapshot", name, "--dry-run", "--json"])
    assert json.loads(said.stdout)["config"]["snapshot"] == name


def test_the_page_on_training_names_every_setting():
    """Errors send people there."""
    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_.]+)(?::[^`]*)?`", page))
    parts = {"windows": WindowConfig, "pretrain": PretrainConfig}
    wanted = set(TrainConfig.model_fields) | {
        f"{name}.{key}" for name, part in parts.items() for key in part.model_fields
    }
    assert wanted <= named, f"docs/training.md lacks {sorted(wanted - named)}"
