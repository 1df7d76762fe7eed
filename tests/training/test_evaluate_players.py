import numpy as np
import pytest

from shards.errors import BadInput
from tests.training.staging import noisy_run
from training.evaluate.benchmarks import open_benchmark
from training.evaluate.players import FolderPlayer, RunPlayer
from training.evaluate.registry import chosen
from training.evaluate.run import evaluate


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run's folder with an untrained backbone and an adapter that says something."""
    return noisy_run(tmp_path_factory.mktemp("run"))


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
