"""Settings come from defaults, a file and overrides, and unknown ones are refused."""

import pytest

from shards.errors import BadInput
from training.config import Stage, load_config, stage_config


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
    "override", ["stepz=9", "one.stepz=9", "pretrain.stepz=1", "lr=fast", "steps=0", "lr", "=3", "lr.x=1"]
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
