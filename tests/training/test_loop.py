"""What a run promises: the same numbers however it is computed and wherever it was stopped."""

import json
import shutil
import signal
import subprocess
import sys

import pytest
import torch

from shards.publishing import publish
from tests.training.staging import lines, losses, quick, weights
from training.stages.result import StageResult
from training.stages.stage import train_stage

KILLED = """
import json, os, signal, sys
from pathlib import Path
from training.settings.config import TrainConfig
from training.stages.result import StageResult
from training.stages.stage import train_stage
config, snapshots, runs, last = json.loads(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
def progress(done, total, note):
    if note.startswith("train") and done >= last:
        os.kill(os.getpid(), signal.SIGKILL)
train_stage(TrainConfig.model_validate(config), snapshots_root=snapshots, runs_root=runs, progress=progress)
"""


class TestTheSameNumbers:
    def test_with_and_without_a_cache(self, plain, run):
        assert losses(plain) == losses(run(quick(cache=False)))

    @pytest.mark.parametrize("change", [{"loaders": 0}, {"loaders": 4}, {"log_every": 1}, {"probe_every": 2}])
    def test_however_it_is_fed_logged_and_probed(self, plain, run, change):
        other = run(quick(**change))
        assert losses(plain) == losses(other)
        assert all(torch.equal(one, weights(other)[name]) for name, one in weights(plain).items())

    @pytest.mark.parametrize("change", [{"micro_batch": 2}, {"checkpointing": "selective"}, {"checkpointing": "all"}])
    def test_in_parts_or_with_less_memory_up_to_rounding(self, run, change):
        plain, other = run(quick(audio_dropout=0)), run(quick(audio_dropout=0, **change))
        assert losses(other) == pytest.approx(losses(plain), rel=1e-4)


OFTEN = {"log_every": 1, "save_every": 2, "probe_every": 2}


@pytest.fixture(scope="module")
def whole(train_in, tmp_path_factory) -> StageResult:
    """A run that nobody kills."""
    return train_in(tmp_path_factory.mktemp("whole"), quick(**OFTEN))


@pytest.mark.parametrize("last", [2, 4, 5])
def test_killed_anywhere_it_goes_on_to_the_same_losses_bit_for_bit(whole, prepared, snapshots_root, tmp_path, last):
    config = quick(**OFTEN)
    root = tmp_path / "killed"
    for part in ("cache", "backbones"):
        shutil.copytree(prepared / part, root / part)
    command = [sys.executable, "-c", KILLED, config.model_dump_json(), str(snapshots_root), str(root), str(last)]
    assert subprocess.run(command, timeout=200).returncode == -signal.SIGKILL
    rest = train_stage(config, snapshots_root=snapshots_root, runs_root=root)
    assert rest.resumed_from in (last // 2 * 2, last // 2 * 2 - 2)
    assert losses(rest) == losses(whole)
    assert [line["probe"] for line in lines(rest) if "probe" in line] == [
        line["probe"] for line in lines(whole) if "probe" in line
    ]
    assert all(torch.equal(one, weights(rest)[name]) for name, one in weights(whole).items())


def test_single_features_and_own_columns_can_be_ablated(run):
    one = run(quick(encoders=[{"name": "mel", "layers": [2]}], window_radius_s=0.0, sites="late"))
    config = json.loads((one.adapter_dir / "adapter.json").read_text())["config"]
    assert [row["layer"] for row in config["rows"]] == ["onset"]
    assert len(config["sites"]) == 2 and config["radius_s"] == 0


def test_layers_that_start_at_zero_may_learn_faster(run):
    plain, faster = run(quick(steps=1, warmup_steps=0)), run(quick(steps=1, warmup_steps=0, out_lr=10))
    moved = {name: weights(faster)[name].norm() / one.norm() for name, one in weights(plain).items() if "out" in name}
    assert moved and all(factor == pytest.approx(10, rel=0.01) for factor in moved.values())


def test_classes_of_a_snapshot_are_balanced_by_label(tmp_path, flash_samples, snapshots_root):
    publish(tmp_path / "s", "two", flash_samples[:2], recipe={})
    config = quick(snapshot="two", balance=True, held_out=0.0, steps=1)
    assert train_stage(config, snapshots_root=tmp_path / "s", runs_root=tmp_path / "r").finished
