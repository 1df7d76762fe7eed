"""What a run promises: the same numbers however it is computed and wherever it was stopped."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from shards.publishing import publish
from tests.training.staging import lines, losses, quick, weights
from training.stages.result import StageResult
from training.stages.stage import train_stage

pytestmark = pytest.mark.slow

KILLED = """
import json, os, signal, sys
from pathlib import Path
from training.settings.config import TrainConfig
from training.stages.run import run_stage
from training.stages.stage import train_stage
from diffusers import WanTransformer3DModel

config, snapshots = TrainConfig.model_validate_json(sys.argv[1]), Path(sys.argv[2])

def train(root, last):
    def progress(done, total, note):
        if note.startswith("train") and done >= last:
            os.kill(os.getpid(), signal.SIGKILL)

    train_stage(config, snapshots_root=snapshots, runs_root=root, progress=progress)

# What all of them import is imported once, and a process of its own for each dies.
for last, root in json.loads(sys.argv[3]).items():
    child = os.fork()
    if not child:
        try:
            train(Path(root), int(last))
        finally:
            os._exit(1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
LAST = (2, 4, 5)
"""The steps of which a killed run tells before it dies: with no checkpoint, in the step of one, and after one."""


class TestTheSameNumbers:
    def test_with_and_without_a_cache(self, plain, run):
        assert losses(plain) == losses(run(quick(cache=False)))

    @pytest.mark.parametrize("change", [{"loaders": 0}, {"loaders": 4}, {"log_every": 1}, {"probe_every": 2}])
    def test_however_it_is_fed_logged_and_probed(self, plain, run, change):
        other = run(quick(**change))
        assert losses(plain) == losses(other)
        assert all(torch.equal(one, weights(other)[name]) for name, one in weights(plain).items())

    @pytest.mark.parametrize("change", [{"micro_batch": 2}, {"checkpointing": "selective"}, {"checkpointing": "all"}])
    def test_in_parts_or_with_less_memory_up_to_rounding(self, all_heard, run, change):
        assert losses(run(quick(audio_dropout=0, **change))) == pytest.approx(losses(all_heard), rel=1e-4)


@pytest.fixture(scope="module")
def all_heard(train_in, tmp_path_factory) -> StageResult:
    """A run whose clips never lose their sound."""
    return train_in(tmp_path_factory.mktemp("heard"), quick(audio_dropout=0))


OFTEN = {"log_every": 1, "save_every": 2, "probe_every": 2}


@pytest.fixture(scope="module")
def whole(train_in, tmp_path_factory) -> StageResult:
    """A run that nobody kills."""
    return train_in(tmp_path_factory.mktemp("whole"), quick(**OFTEN))


@pytest.fixture(scope="module")
def killed(prepared, snapshots_root, tmp_path_factory) -> dict[int, Path]:
    """The folders of runs that SIGKILL ended, by the last step they told of."""
    roots = {last: tmp_path_factory.mktemp(f"killed-{last}") for last in LAST}
    for root in roots.values():
        for part in ("cache", "backbones"):
            shutil.copytree(prepared / part, root / part)
    named = json.dumps({last: str(root) for last, root in roots.items()})
    command = [sys.executable, "-c", KILLED, quick(**OFTEN).model_dump_json(), str(snapshots_root), named]
    said = subprocess.run(command, timeout=250, stdout=subprocess.PIPE, text=True, check=True).stdout
    assert said.split() == [str(-signal.SIGKILL)] * len(LAST)
    return roots


@pytest.mark.parametrize("last", LAST)
def test_killed_anywhere_it_goes_on_to_the_same_losses_bit_for_bit(whole, killed, snapshots_root, last):
    rest = train_stage(quick(**OFTEN), snapshots_root=snapshots_root, runs_root=killed[last])
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
