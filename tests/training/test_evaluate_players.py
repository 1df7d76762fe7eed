import numpy as np
import pytest
import torch
from torch import nn

from shards.errors import BadInput
from training.adapter.files import save_adapter
from training.adapter.layer import AudioAdapter
from training.backbones import open_backbone, shape_of
from training.evaluate.benchmarks import open_benchmark
from training.evaluate.players import FolderPlayer, RunPlayer
from training.evaluate.registry import chosen
from training.evaluate.run import evaluate
from training.settings.config import stage_config
from training.stages.fitting import fitted_config


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run's folder with an untrained backbone and an adapter that says something."""
    root = tmp_path_factory.mktemp("run")
    backbone = open_backbone("tiny")
    torch.manual_seed(0)
    nn.init.normal_(backbone.network.proj_out.weight, std=0.02)
    backbone.network.save_pretrained(root / "weights")
    adapter = AudioAdapter(fitted_config(stage_config(1), shape_of(backbone)))
    for site in adapter.sites:
        nn.init.normal_(site.out.weight, std=0.2)
    notes = {"backbone": "tiny", "weights": "../weights"}
    save_adapter(root / "adapter", adapter.config, adapter.state_dict(), notes=notes)
    return root


def test_a_run_makes_each_film_once_and_another_guidance_makes_others(run, tmp_path):
    benchmark, asked = open_benchmark("drawn", limit=3), chosen(["event_f1", "frechet_pixels"])
    player = RunPlayer(run, tmp_path / "films", device="cpu")
    assert (player.cut.frames, player.cut.fps, player.cut.size_px) == (12, 6, (64, 64))
    said = evaluate(benchmark, asked, tmp_path / "out", player=player, cut=player.cut)
    films = sorted((tmp_path / "films").rglob("*.mp4"))
    assert len(films) == 3
    assert said.player == run.name
    assert np.isfinite(said.metrics[0].film.value)
    made = [path.stat().st_mtime_ns for path in films]
    again = evaluate(benchmark, asked, tmp_path / "out", player=player, cut=player.cut)
    assert [path.stat().st_mtime_ns for path in films] == made
    assert again.metrics[0].film == said.metrics[0].film
    silent = RunPlayer(run, tmp_path / "films", guidance=0.0, device="cpu")
    evaluate(benchmark, asked, tmp_path / "out", player=silent, cut=silent.cut)
    assert len(list((tmp_path / "films").rglob("*.mp4"))) == 6


def test_a_folder_that_is_not_there_is_no_player(tmp_path):
    with pytest.raises(BadInput, match="there is no folder"):
        FolderPlayer(tmp_path / "nothing")
