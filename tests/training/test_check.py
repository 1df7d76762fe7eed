"""`doctor --training` on small folders of published layout: what works passes, what does not is said."""

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from shards.errors import BadInput, ClapboardError, Unavailable
from training.backbones import BackboneOptions
from training.settings.config import EncoderConfig
from training.stages import check
from training.stages.check import ALLOWED, check_backbone, check_encoder

PUBLISHED = ["animatediff", "wan2.1-1.3b", "wan2.1-i2v-14b", "wan2.2-ti2v-5b"]


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    """The share of 1.9 % has no room for any adapter on so small a network."""
    monkeypatch.setattr(check, "BUDGET", 0.5)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_layout_does_what_diffusers_does(name, published, half):
    found = check_backbone(name, BackboneOptions(published[name], half=half))
    assert found.apart < ALLOWED[half] and found.loss > 0


def test_weights_that_are_no_numbers_are_told(published, tmp_path):
    folder = shutil.copytree(published["wan2.2-ti2v-5b"], tmp_path / "copy")
    path = next((folder / "transformer").glob("*.safetensors"))
    save_file({name: torch.full_like(one, torch.nan) for name, one in load_file(path).items()}, path)
    with pytest.raises(ClapboardError, match="the loss of a step is nan"):
        check_backbone("wan2.2-ti2v-5b", BackboneOptions(folder))


def test_what_has_no_weights_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("CLAPBOARD_WEIGHTS", str(tmp_path))
    with pytest.raises(BadInput, match="no published weights"):
        check_backbone("tiny", BackboneOptions())
    with pytest.raises(Unavailable, match="not on this machine"):
        check_backbone("wan2.2-ti2v-5b", BackboneOptions())
    with pytest.raises(Unavailable, match="imagebind"):
        check_encoder(EncoderConfig(name="imagebind"), device="cpu")
    check_encoder(EncoderConfig(name="mel"), device="cpu")
