"""Synchformer's checkpoints, real or forged, and the networks at work on segments; all weights here are random."""

import math
import pickle
import sys
import types

import numpy as np
import pytest
import torch

from curation.encoders.synchformer.runner import CONFIGURATION, SynchformerRunner
from shards.checkpoint import read_tensors
from shards.errors import BadInput, Unavailable
from shards.weights import LOCK, add_local
from tests.curation.synchformer_files import put, random_tensors, sure_of


@pytest.fixture(autouse=True)
def weights(tmp_path, monkeypatch):
    monkeypatch.setenv("CLAPBOARD_WEIGHTS", str(tmp_path / "weights"))


# ---- files


def test_the_authors_checkpoints_are_read_without_their_configuration(tmp_path, monkeypatch):
    """They hold an OmegaConf configuration and numpy's numbers; neither library's code may run."""
    monkeypatch.setitem(sys.modules, "omegaconf", types.ModuleType("omegaconf"))
    for module, names in (("dictconfig", ["DictConfig"]), ("base", ["ContainerMetadata"]), ("nodes", ["AnyNode"])):
        made = types.ModuleType(f"omegaconf.{module}")
        for name in names:
            setattr(made, name, type(name, (), {"__module__": made.__name__, "__init__": lambda self: None}))
        monkeypatch.setitem(sys.modules, made.__name__, made)
    config = sys.modules["omegaconf.dictconfig"].DictConfig()
    config.content = {"lr": sys.modules["omegaconf.nodes"].AnyNode(), "metadata": dict}
    path = tmp_path / "24-01-04T16-39-21.pt"
    torch.save({"args": config, "metrics": {"accuracy_1": np.float64(0.5)}, "model": {"w": torch.ones(2)}}, path)
    for name in list(sys.modules):
        if name.startswith("omegaconf"):
            monkeypatch.delitem(sys.modules, name)
    found = read_tensors(path, within="model", remedy="-", without=CONFIGURATION)
    assert list(found) == ["w"] and found["w"].tolist() == [1, 1]


class Evil:
    def __reduce__(self):
        return (print, ("executed",))


@pytest.mark.parametrize("content", ["code", "code beside a model", "garbage", "tensors of something else"])
def test_a_file_that_is_no_such_checkpoint_is_refused_and_nothing_in_it_runs(content, tmp_path, capsys):
    path = tmp_path / "weights.pt"
    if content == "code":
        path.write_bytes(pickle.dumps({"model": Evil()}, protocol=2))
    elif content == "code beside a model":
        torch.save({"model": random_tensors(), "args": Evil()}, path)
    elif content == "garbage":
        path.write_bytes(b"not a checkpoint")
    else:
        torch.save({"model": {"w": torch.zeros(2)}}, path)
    add_local("synchformer", path)
    with pytest.raises(BadInput):
        runner_on_noise()
    assert "executed" not in capsys.readouterr().out


# ---- at work


def noise(segments):
    draw = np.random.default_rng(4)
    images = draw.integers(0, 256, (segments, 16, 224, 224, 3), dtype=np.uint8)
    return images, draw.uniform(-0.5, 0.5, (segments, 10_240)).astype(np.float32)


def runner_on_noise(segments=1):
    runner = SynchformerRunner(device="cpu")
    return runner, *runner.features(*noise(segments))


def test_a_posterior_of_21_offsets_comes_from_any_number_of_segments(tmp_path, monkeypatch):
    put("synchformer", random_tensors(), tmp_path)
    monkeypatch.setattr("curation.encoders.synchformer.runner.BATCH", 2)
    runner, seen, heard = runner_on_noise(3)
    assert seen.shape == (3, 8, 64) and heard.shape == (3, 6, 64)
    alone = runner.features(*(rows[1:2] for rows in noise(3)))
    assert np.abs(alone[0][0] - seen[1]).max() < 1e-4 and np.abs(alone[1][0] - heard[1]).max() < 1e-4
    posterior = runner.offsets(seen, heard)
    assert posterior.shape == (21,) and posterior.sum() == pytest.approx(1) and posterior.min() > 0
    assert math.isnan(runner.synchronisable(seen, heard))


def test_the_fine_tuned_model_says_whether_an_offset_can_be_told(tmp_path):
    put("synchformer", random_tensors(), tmp_path)
    judge = random_tensors(places=184, head="sync_head")
    judge["transformer.sync_head.weight"] = torch.zeros(2, 64)
    judge["transformer.sync_head.bias"] = torch.tensor([0.0, math.log(3)])
    put("synchformer_synchronisable", judge, tmp_path)
    runner, seen, heard = runner_on_noise()
    seen, heard = (np.repeat(rows, 14, axis=0) for rows in (seen, heard))
    assert runner.synchronisable(seen, heard) == pytest.approx(0.75)


def test_a_fine_tuned_model_of_other_towers_is_refused(tmp_path):
    put("synchformer", random_tensors(), tmp_path)
    put("synchformer_synchronisable", random_tensors(seed=1, places=184, head="sync_head"), tmp_path)
    with pytest.raises(BadInput, match="fine-tuned from others"):
        runner_on_noise()


def test_weights_of_the_other_task_are_refused(tmp_path):
    put("synchformer", random_tensors(places=184, head="sync_head"), tmp_path)
    with pytest.raises(BadInput, match="another task"):
        runner_on_noise()


def test_two_checkpoints_in_one_place_are_refused(tmp_path):
    folder = put("synchformer", sure_of(3), tmp_path).path
    torch.save({"model": sure_of(4)}, folder / "other.pt")
    with pytest.raises(Unavailable, match=r"other\.pt came later"):
        runner_on_noise()
    (folder / LOCK).unlink()
    with pytest.raises(BadInput, match="2 checkpoints"):
        runner_on_noise()


def test_missing_weights_are_said_with_what_mends_it():
    with pytest.raises(Unavailable) as lack:
        runner_on_noise()
    assert lack.value.remedy == "clapboard weights fetch synchformer"
