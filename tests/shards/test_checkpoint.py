"""Other people's checkpoints are read as tensors alone, and fill a model whole or not at all."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from shards.checkpoint import fill, read_tensors
from shards.errors import BadInput


@pytest.mark.parametrize("within", ["", "model", "not there"])
def test_a_pickle_of_tensors_is_read_at_the_top_or_under_a_key(tmp_path, within):
    weights = {"w": torch.ones(2)}
    torch.save({"model": weights, "lr": np.float64(0.1)} if within == "model" else weights, tmp_path / "it.pt")
    found = read_tensors(tmp_path / "it.pt", remedy="-", within=within)
    assert list(found) == ["w"] and torch.equal(found["w"], torch.ones(2))


def test_safetensors_are_read_too_and_broken_ones_refused(tmp_path):
    path = tmp_path / "it.safetensors"
    save_file({"w": torch.ones(2)}, path)
    assert torch.equal(read_tensors(path, remedy="-")["w"], torch.ones(2))
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(BadInput, match="cut short"):
        read_tensors(path, remedy="-")
    with pytest.raises(BadInput, match="no checkpoint"):
        read_tensors(tmp_path / "nowhere.safetensors", remedy="-")


@pytest.mark.parametrize("name", ["it.pt", "it.safetensors"])
def test_code_in_a_checkpoint_does_not_run_whatever_its_name(tmp_path, name):
    class Shell:
        def __reduce__(self):
            return Path.touch, (tmp_path / "run",)

    torch.save({"w": torch.ones(2), "extra": Shell()}, tmp_path / name)
    with pytest.raises(BadInput, match="no checkpoint of tensors") as refused:
        read_tensors(tmp_path / name, remedy="fetch it anew")
    assert refused.value.remedy == "fetch it anew"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("tensors", "fault"),
    [
        ({"weight": torch.ones(1, 2)}, "bias"),
        ({"weight": torch.ones(1, 2), "bias": torch.ones(1), "more": torch.ones(1)}, "more"),
        ({"weight": torch.ones(9, 2), "bias": torch.ones(1)}, "weight"),
    ],
    ids=["missing", "too many", "another shape"],
)
def test_a_model_is_filled_whole_or_the_fault_is_named(tensors, fault):
    model = torch.nn.Linear(2, 1)
    with pytest.raises(BadInput, match=f"not of a line: .*{fault}"):
        fill(model, tensors, what="a line", remedy="-")
    fill(model, {"weight": torch.ones(1, 2), "bias": torch.ones(1)}, what="a line", remedy="-")
    assert model.bias.item() == 1
