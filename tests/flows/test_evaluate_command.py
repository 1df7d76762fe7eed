import json

import numpy as np
import pytest
from typer.testing import CliRunner

from flows.cli.app import app
from flows.evaluation.wiring import tools, weight_paths
from shards.errors import BadInput, Unavailable
from training.evaluate.registry import METRICS, chosen
from training.world import FilmSpec, draw, write_film

RUNNER = CliRunner()
DRAWN = ("--benchmark", "drawn", "--limit", "5", "--metrics", "event_f1,event_error_s")


def invoke(*arguments):
    done = RUNNER.invoke(app, ["evaluate", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """Two folders of films, one true and one still, and an evaluation of each."""
    place = tmp_path_factory.mktemp("evaluate")
    invoke(*DRAWN, "--out", place / "truth")
    names = [path.stem for path in (place / "truth" / "clips").glob("*.npz")]
    for player, static in (("true", False), ("still", True)):
        for name in names:
            scene, _, seed = name.removesuffix("_clip-0").rpartition("-")
            spec = {"scene": scene, "seed": int(seed), "duration_s": 2.0, "width_px": 64, "height_px": 64, "fps": 12}
            write_film(draw(FilmSpec(**spec, static=static)), place / player / f"{name}.mp4")
        invoke(place / player, *DRAWN, "--out", place / f"{player}-out")
    return place


def test_a_folder_of_films_is_evaluated_without_naming_the_command(evaluated):
    said = json.loads((evaluated / "true-out" / "evaluation.json").read_text())
    assert said["player"] == "true"
    assert said["metrics"][0]["film"]["value"] == pytest.approx(1.0)
    assert said["metrics"][0]["verdict"] == "tells all controls"
    again = json.loads(invoke("run", evaluated / "true", *DRAWN, "--out", evaluated / "true-out", "--json"))
    assert again == said


def test_the_page_shows_players_side_by_side_and_asks_nothing_of_the_network(evaluated):
    page = (evaluated / "still-out" / "evaluation.html").read_text()
    assert page.count("<video") == 2 * 5
    assert "<figcaption>truth" in page
    assert "<figcaption>film" in page
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert "n = 5 clips of 5 videos" in page


def test_two_evaluations_are_compared(evaluated):
    lines = invoke("compare", evaluated / "true-out", evaluated / "still-out").splitlines()
    assert lines[0].split("\t") == ["metric", "difference", "permutation p", "Wilcoxon p", "clips", "verdict"]
    assert lines[1].split("\t")[0] == "event_f1"
    assert lines[1].endswith("true is better")
    assert lines[2].endswith("true is better")
    page = (evaluated / "true-out" / "comparison.html").read_text()
    assert page.count("<video") == 3 * 5


def test_all_metrics_that_can_be_had_are_taken_and_the_others_say_why(tmp_path, monkeypatch):
    monkeypatch.setenv("CLAPBOARD_WEIGHTS", str(tmp_path / "none"))
    said = RUNNER.invoke(
        app,
        [
            "evaluate",
            "--benchmark",
            "drawn",
            "--limit",
            "2",
            "--seconds",
            "0.5",
            "--metrics",
            "all",
            "-o",
            str(tmp_path),
        ],
    )
    assert said.exit_code == 0, said.output
    for name in (
        "clip_image_text",
        "pe_av",
        "desync",
        "relsync",
        "alignsync",
        "javis_score",
        "cycle_sync",
        "fid",
        "fvd",
    ):
        assert f"note: {name}: " in said.stderr
    kept = {one["name"] for one in json.loads((tmp_path / "evaluation.json").read_text())["metrics"]}
    assert kept >= {"event_f1", "offset_error_s", "frechet_pixels"}


def test_networks_of_curation_are_absent_until_their_weights_are_there(tmp_path, monkeypatch):
    monkeypatch.setenv("CLAPBOARD_WEIGHTS", str(tmp_path))
    made = tools()
    for name in ("clip_image_text", "pe_av", "desync", "desync_all"):
        with pytest.raises(Unavailable):
            chosen([name], made)
        assert METRICS[name](made).protocol


def test_weights_are_named_by_metric(tmp_path):
    assert weight_paths([f"fvd={tmp_path}"]) == {"fvd": tmp_path}
    with pytest.raises(BadInput, match="names no file"):
        weight_paths(["fvd"])


def test_captions_of_strangers_stay_text(tmp_path):
    for number in range(3):
        spec = FilmSpec(scene="playing_drum", seed=930_000 + number, duration_s=1.0, width_px=64, height_px=64, fps=12)
        write_film(draw(spec), tmp_path / "in" / f"{number}.mp4")
        (tmp_path / "in" / f"{number}.txt").write_text("<script>alert(1)</script>")
    invoke("--benchmark", "folder", "--data", tmp_path / "in", "--fps", "12", "--seconds", "1", "--clips", "1",
           "--size", "64", "--metrics", "offset_error_s", "-o", tmp_path / "out")  # fmt: skip
    page = (tmp_path / "out" / "evaluation.html").read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert np.all([(tmp_path / "out" / name).is_file() for name in ("evaluation.json", "evaluation.parquet")])
