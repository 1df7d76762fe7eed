"""Whole stages on flashes and clicks: they learn to listen, stop and go on exactly, and are not run twice."""

import json
import math
import os
import shutil
import signal
import statistics
from pathlib import Path
from types import SimpleNamespace

import pytest

from shards.errors import BadInput, SnapshotError, TrainingError, Unavailable
from training.settings.config import TrainConfig, stage_config
from training.stages.dry_run import dry_run
from training.stages.result import StageResult, finished_result, save_result
from training.stages.stage import train_stage

pytestmark = pytest.mark.slow

QUICK = {
    "batch": 4,
    "held_out": 0.25,
    "backbone": "tiny",
    "pretrain": {"steps": 40, "batch": 4, "warmup_steps": 5, "lr": 2e-3},
    "probe_clips": 2,
    "device": "cpu",
}


def quick(stage: int = 1, **changes) -> TrainConfig:
    return stage_config(stage, **QUICK | {"steps": 6, "save_every": 3} | changes)


@pytest.fixture(scope="module")
def learned(snapshots_root, tmp_path_factory) -> StageResult:
    """A stage one long enough to learn that flashes follow clicks."""
    runs = tmp_path_factory.mktemp("runs")
    return train_stage(quick(steps=60, probe_clips=16), snapshots_root=snapshots_root, runs_root=runs)


@pytest.fixture
def runs_root(learned, tmp_path) -> Path:
    """A runs folder whose cache and backbone are there already."""
    return prepared_in(tmp_path, learned)


@pytest.fixture(scope="module")
def short(learned, snapshots_root, tmp_path_factory) -> StageResult:
    """A few steps to their end, in a folder whose cache and backbone were there already."""
    runs = prepared_in(tmp_path_factory.mktemp("short"), learned)
    return train_stage(quick(), snapshots_root=snapshots_root, runs_root=runs)


def prepared_in(folder: Path, done: StageResult) -> Path:
    """Put the cache and the backbone of a run there."""
    for part in ("cache", "backbones"):
        shutil.copytree(done.run_dir.parent.parent / part, folder / part)
    return folder


def losses(result: StageResult) -> list[float]:
    lines = (result.run_dir / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines if "loss" in line]


def test_after_stage_one_the_true_sound_explains_held_out_pictures_best(learned):
    probe = learned.probe
    assert probe["shift_gap"] > 2 * probe["shift_gap_error"] > 0
    assert probe["matched"] < probe["silent"]
    assert probe["matched"] < probe["swapped"]
    assert learned.trainable_share <= 0.019


def test_stopped_and_gone_on_with_gives_the_same_losses_bit_for_bit(short, snapshots_root, runs_root):
    def stop_after_three(done: int, total: int, note: str) -> None:
        if note.startswith("train") and done == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    half = train_stage(quick(), snapshots_root=snapshots_root, runs_root=runs_root, progress=stop_after_three)
    assert (half.finished, half.steps_done) == (False, 3)
    rest = train_stage(quick(), snapshots_root=snapshots_root, runs_root=runs_root)
    assert (rest.finished, rest.resumed_from, rest.steps_done) == (True, 3, 6)
    assert losses(rest) == losses(short)
    one, other = ((result.adapter_dir / "adapter.safetensors").read_bytes() for result in (short, rest))
    assert one == other


def test_sigterm_in_the_last_step_reaches_whoever_runs_the_stage(snapshots_root, runs_root):
    """Else a study, or both stages as one, would go on with the next stage as if nobody had asked them to stop."""

    def stop_at_the_end(done: int, total: int, note: str) -> None:
        if note.startswith("train") and done == total:
            os.kill(os.getpid(), signal.SIGTERM)

    told: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
    try:
        whole = train_stage(
            quick(steps=1), snapshots_root=snapshots_root, runs_root=runs_root, progress=stop_at_the_end
        )
    finally:
        signal.signal(signal.SIGTERM, before)
    assert whole.finished and told == [signal.SIGTERM]


def test_a_finished_run_is_found_and_not_run_again(short, snapshots_root):
    again = train_stage(quick(), snapshots_root=snapshots_root, runs_root=short.run_dir.parent.parent)
    assert short.fresh and not again.fresh
    assert again.run_dir == short.run_dir and again.probe == short.probe
    assert short.clips_encoded == 0 and short.clips_reused == 16


def test_stage_two_starts_from_stage_one_on_the_same_frozen_backbone(short, snapshots_root):
    runs_root = short.run_dir.parent.parent
    two = train_stage(quick(2, steps=2), snapshots_root=snapshots_root, runs_root=runs_root)
    notes = [json.loads((result.adapter_dir / "adapter.json").read_text())["notes"] for result in (short, two)]
    assert notes[0]["weights"] == notes[1]["weights"]
    assert notes[1]["parent"] == short.run_dir.name and two.snapshot == "curated/v1"
    assert len(list((runs_root / "backbones").iterdir())) == 1


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_last_checkpoint(snapshots_root, runs_root, monkeypatch):
    from training.data import feed

    honest = feed.batch_of

    def poisoned(clips, draw, samples):
        batch = honest(clips, draw, samples)
        if samples[0] == 4 * 4:
            batch.latents[0, 0, 1] = float("nan")
        return batch

    monkeypatch.setattr(feed, "batch_of", poisoned)
    with pytest.raises(TrainingError, match="step 5 is nan"):
        train_stage(quick(), snapshots_root=snapshots_root, runs_root=runs_root)
    monkeypatch.undo()
    assert train_stage(quick(), snapshots_root=snapshots_root, runs_root=runs_root).resumed_from == 3


def test_windows_of_one_film_are_no_witnesses_of_their_own():
    from training.loop.probe import clustered_error

    apart = clustered_error([1.0, -1.0, 2.0, -2.0], ["a", "b", "c", "d"])
    assert apart == pytest.approx(statistics.stdev([1.0, -1.0, 2.0, -2.0]) / 2)
    twice = clustered_error([1.0, 1.0, -1.0, -1.0, 2.0, 2.0, -2.0, -2.0], list("aabbccdd"))
    assert twice == pytest.approx(apart)
    assert clustered_error([1.0, 2.0], ["a", "a"]) == math.inf


def test_refuses_what_it_cannot_train(snapshots_root, tmp_path):
    with pytest.raises(TrainingError, match="starts from a finished stage one"):
        train_stage(quick(2), snapshots_root=snapshots_root, runs_root=tmp_path)
    with pytest.raises(SnapshotError, match="no snapshot"):
        train_stage(quick(snapshot="nowhere"), snapshots_root=snapshots_root, runs_root=tmp_path)
    with pytest.raises(Unavailable, match="weights fetch"):
        train_stage(stage_config(1, backbone="wan2.2-ti2v-5b"), snapshots_root=snapshots_root, runs_root=tmp_path)
    with pytest.raises(TrainingError, match="narrowest adapter"):
        dry_run(quick(budget=0.001))
    with pytest.raises(BadInput, match="no backbone"):
        dry_run(quick(backbone="sora"))


@pytest.mark.parametrize(
    ("backbone", "backbone_parameters", "width"),
    [("wan2.2-ti2v-5b", 4_999_787_712, 896), ("wan2.1-1.3b", 1_418_996_800, 384)],
)
def test_a_dry_run_counts_a_wan_exactly_without_its_weights(backbone, backbone_parameters, width):
    report = json.loads(json.dumps(dry_run(stage_config(1, backbone=backbone))))
    assert report["backbone_parameters"] == backbone_parameters
    assert report["inner_width"] == width
    assert report["trainable_share"] == pytest.approx(
        report["trainable_parameters"] / (report["trainable_parameters"] + backbone_parameters)
    )
    assert report["trainable_share"] <= 0.019
    assert report["latent_frames"] in (13, 9)


def test_a_result_of_which_nobody_knows_the_error_is_valid_json_and_the_same_again(tmp_path):
    """A probe of one held-out video has an error of infinity, which JSON does not know."""
    probe = {"shift_gap": 0.1, "shift_gap_error": math.inf}
    run = tmp_path / "stage-one" / "digest"
    run.mkdir(parents=True)
    result = StageResult(
        run_dir=run, adapter_dir=run / "adapter", snapshot="auto/v1", steps_done=1, finished=True, fresh=True,
        resumed_from=0, first_loss=1.0, last_loss=0.5, trainable_parameters=1, backbone_parameters=2,
        trainable_share=0.5, clips_encoded=1, clips_reused=0, clips_trained=1, probe=probe,
    )  # fmt: skip
    save_result(result)
    text = (run / "result.json").read_text()
    assert "Infinity" not in text and json.loads(text)["probe"]["shift_gap_error"] is None
    assert finished_result(run).probe == probe


def test_a_dry_run_warns_of_what_would_break(snapshots_root, tmp_path, monkeypatch):
    monkeypatch.setenv("CLAPBOARD_WEIGHTS", str(tmp_path / "weights"))
    places = {"snapshots_root": snapshots_root, "runs_root": tmp_path / "runs"}
    assert dry_run(quick(), **places)["warnings"] == []
    asked = {"encoders": ["imagebind", "beats"], "snapshot": "nowhere"}
    said = dry_run(stage_config(1, backbone="wan2.1-1.3b", **asked), **places)["warnings"]
    for words in (
        "never learned to go on from an image", "clapboard weights fetch wan2.1-1.3b",
        "clapboard weights fetch imagebind", "clapboard weights add beats PATH", "no snapshot",
    ):  # fmt: skip
        assert any(words in one for one in said), words
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    assert "windows takes" in dry_run(quick(), **places)["warnings"][0]
