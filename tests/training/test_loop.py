"""What a run promises: the same numbers however it is computed, an end when it is enough, and a log of all of it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys

import pytest
import torch

from shards.errors import BadInput, TrainingError, Unavailable
from shards.publishing import publish
from training.adapter_files import load_adapter
from training.config import TrainConfig, load_config, stage_config
from training.launch import write_job
from training.log import read_metrics
from training.stages import StageResult, newest_run, train_stage

QUICK = {
    "batch": 4,
    "held_out": 0.25,
    "pretrain": {"steps": 5, "batch": 4, "warmup_steps": 2},
    "windows": {"per_clip": 1},
    "probe_clips": 2,
    "device": "cpu",
    "steps": 6,
    "save_every": 3,
}


def quick(stage: int = 1, **changes) -> TrainConfig:
    return stage_config(stage, **QUICK | changes)


@pytest.fixture(scope="module")
def prepared(snapshots_root, tmp_path_factory):
    """Cache and backbone, made once."""
    runs = tmp_path_factory.mktemp("prepared")
    train_stage(quick(steps=1), snapshots_root=snapshots_root, runs_root=runs)
    return runs


@pytest.fixture
def run(prepared, snapshots_root, tmp_path):
    """Run a stage in a folder of its own; returns the result."""
    made = []

    def go(config: TrainConfig, *, where: str = "", **more) -> StageResult:
        root = tmp_path / (where or f"run-{len(made)}")
        made.append(root)
        for part in ("cache", "backbones"):
            shutil.copytree(prepared / part, root / part, dirs_exist_ok=True)
        return train_stage(config, snapshots_root=snapshots_root, runs_root=root, **more)

    return go


def lines(result: StageResult) -> list[dict]:
    return read_metrics(result.run_dir / "metrics.jsonl")


def losses(result: StageResult) -> list[float]:
    return [line["loss"] for line in lines(result) if "loss" in line]


def weights(result: StageResult) -> dict[str, torch.Tensor]:
    return load_adapter(result.adapter_dir).adapter.state_dict()


class TestTheSameNumbers:
    def test_with_and_without_a_cache(self, run):
        assert losses(run(quick())) == losses(run(quick(cache=False)))

    @pytest.mark.parametrize("change", [{"loaders": 0}, {"loaders": 4}, {"log_every": 1}, {"probe_every": 2}])
    def test_however_it_is_fed_logged_and_probed(self, run, change):
        plain, other = run(quick()), run(quick(**change))
        assert losses(plain) == losses(other)
        assert all(torch.equal(one, weights(other)[name]) for name, one in weights(plain).items())

    @pytest.mark.parametrize("change", [{"micro_batch": 2}, {"checkpointing": "selective"}, {"checkpointing": "all"}])
    def test_in_parts_or_with_less_memory_up_to_rounding(self, run, change):
        plain, other = run(quick(audio_dropout=0)), run(quick(audio_dropout=0, **change))
        assert losses(other) == pytest.approx(losses(plain), rel=1e-4)

    def test_in_two_processes_up_to_rounding_and_for_the_same_samples(self, run):
        alone, both = run(quick()), run(quick(processes=2))
        assert both.finished and both.steps_done == 6
        assert losses(both) == pytest.approx(losses(alone), rel=1e-4)
        for name, one in weights(alone).items():
            assert torch.allclose(one, weights(both)[name], atol=1e-4), name
        assert both.probe["matched"] == pytest.approx(alone.probe["matched"], rel=1e-3)

    def test_with_the_generator_spread_over_two_processes_which_share_the_samples(self, run):
        # Three videos for two ranks: one of them makes a second pass that is thrown away, or both would wait for ever.
        alone, spread = (run(quick(sample_every=6, samples=3, **more)) for more in ({}, SPREAD))
        assert losses(spread) == pytest.approx(losses(alone), rel=1e-4)
        names = [sorted(path.name for path in (one.run_dir / "samples/000006").iterdir()) for one in (alone, spread)]
        assert names[0] == names[1] and len(names[0]) == 3


def test_two_machines_run_a_written_job(prepared, snapshots_root, tmp_path):
    shutil.copytree(prepared, tmp_path / "runs")
    shutil.rmtree(tmp_path / "runs" / "stage-one")
    config = quick(steps=2)
    write_job(tmp_path / "job.json", config, snapshots_root=snapshots_root, runs_root=tmp_path / "runs")
    port = free_port()
    command = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1"]
    command += ["--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{port}", "-m", "training.launch"]
    command += [str(tmp_path / "job.json")]
    machines = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [one.communicate(timeout=250)[0] for one in machines]
    assert [one.returncode for one in machines] == [0, 0]
    found = train_stage(config, snapshots_root=snapshots_root, runs_root=tmp_path / "runs")
    assert not found.fresh and found.steps_done == 2
    assert sum(f"run: {found.run_dir}" in one for one in said) == 1


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


SPREAD = {"processes": 2, "shard_network": True}

KILLED = """
import json, os, signal, sys
from pathlib import Path
from training.config import TrainConfig
from training.stages import train_stage
config, snapshots, runs, last = json.loads(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
def progress(done, total, note):
    if note.startswith("train") and done >= last:
        os.kill(os.getpid(), signal.SIGKILL)
train_stage(TrainConfig.model_validate(config), snapshots_root=snapshots, runs_root=runs, progress=progress)
"""


FULL = """
import json, resource, sys
from pathlib import Path
from shards.errors import TrainingError
from training.config import TrainConfig
from training.stages import train_stage
config, snapshots, runs = json.loads(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
def progress(done, total, note):
    if note.startswith("train") and done == 2:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    train_stage(TrainConfig.model_validate(config), snapshots_root=snapshots, runs_root=runs, progress=progress)
except TrainingError as error:
    print(error.message, error.remedy)
"""


@pytest.mark.parametrize("last", [2, 4, 5])
def test_killed_anywhere_it_goes_on_to_the_same_losses_bit_for_bit(run, prepared, snapshots_root, tmp_path, last):
    config = quick(log_every=1, save_every=2, probe_every=2)
    whole = run(config)
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


def test_sigterm_ends_all_processes_with_a_checkpoint(run, prepared, snapshots_root, tmp_path):
    def ask(done, total, note):
        if note.startswith("train") and done == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    config = quick(processes=2, steps=400, log_every=2, save_every=200)
    half = run(config, where="one", progress=ask)
    assert not half.finished and 2 <= half.steps_done < 400


class TestTheLog:
    def test_every_step_has_its_loss_and_some_how_fast_it_goes(self, run):
        result = run(quick(log_every=3, probe_every=3))
        found = lines(result)
        assert [line["step"] for line in found if "loss" in line] == [1, 2, 3, 4, 5, 6]
        assert all(line["grad_norm"] >= 0 and line["lr"] > 0 for line in found if "loss" in line)
        full = [line for line in found if "clips_per_s" in line]
        assert [line["step"] for line in full] == [3, 6]
        assert all(0 <= line["stall"] <= 1 and line["loss_by_time"] for line in full)
        assert [line["step"] for line in found if "probe" in line] == [3, 6]

    def test_sample_videos_have_their_own_sound(self, run):
        import av

        result = run(quick(sample_every=6, samples=1))
        (video,) = (result.run_dir / "samples" / "000006").glob("*.mp4")
        with av.open(str(video)) as container:
            assert container.streams.audio and sum(1 for _ in container.decode(video=0)) == 12

    def test_trackers_that_are_not_there_are_said_before_anything_is_trained(self, run):
        with pytest.raises(BadInput, match="no tracker 'telepathy'"):
            run(quick(trackers=("telepathy",)))
        with pytest.raises(Unavailable, match="not installed"):
            run(quick(trackers=("trackio",)))

    def test_a_tracker_gets_the_numbers(self, run, monkeypatch, tmp_path):
        monkeypatch.setenv("WANDB_MODE", "offline")
        monkeypatch.setenv("WANDB_DIR", str(tmp_path))
        run(quick(trackers=("wandb",)))
        assert list(tmp_path.rglob("*.wandb"))

    def test_a_line_that_a_kill_cut_off_is_left_out(self, tmp_path):
        (tmp_path / "m.jsonl").write_text('{"step": 1}\n{"step": 2}\n{"ste')
        assert read_metrics(tmp_path / "m.jsonl") == [{"step": 1}, {"step": 2}]


class TestTheEnd:
    def test_it_stops_when_probes_get_no_better_and_keeps_the_best(self, run):
        # So large steps make the adapter worse at once.
        result = run(quick(lr=0.5, steps=30, probe_every=2, patience=2, warmup_steps=0, ema=0.0))
        probes = [(line["step"], line["probe"]["matched"]) for line in lines(result) if "probe" in line]
        assert result.finished and result.steps_done < 30
        assert len(probes) == 1 + min(range(len(probes)), key=lambda n: probes[n][1]) + 2
        assert result.probe["matched"] == pytest.approx(min(matched for _, matched in probes), rel=1e-5)
        assert (result.run_dir / "checkpoints" / "best" / "average.safetensors").is_file()

    def test_old_checkpoints_go_and_the_best_stays(self, run):
        result = run(quick(save_every=1, keep=2, probe_every=1))
        assert {path.name for path in (result.run_dir / "checkpoints").iterdir()} == {"000005", "000006", "best"}

    def test_a_damaged_newest_checkpoint_is_passed_over(self, run, tmp_path):
        result = run(quick(), where="a")
        (result.run_dir / "result.json").unlink()
        newest = result.run_dir / "checkpoints" / "000006"
        (newest / "tensors.safetensors").write_bytes(b"cut off")
        again = run(quick(), where="a")
        assert again.resumed_from == 3 and losses(again) == losses(result)


class TestStageTwo:
    def test_balanced_with_replay_from_stage_one(self, run, snapshots_root):
        run(quick(), where="both")
        two = run(quick(2, steps=2, balance=True, replay=0.2), where="both")
        notes = load_adapter(two.adapter_dir).notes
        assert notes["stage"] == 2 and notes["snapshot"] == "curated/v1"

    def test_another_adapter_than_stage_ones_is_refused(self, run):
        run(quick(), where="both")
        with pytest.raises(TrainingError, match="another adapter"):
            run(quick(2, window_radius_s=0.1), where="both")

    def test_the_newest_run_is_stage_twos(self, run, tmp_path):
        run(quick(), where="both")
        two = run(quick(2, steps=2), where="both")
        assert newest_run(tmp_path / "both") == two.run_dir


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("setting", "message"),
        [
            ("patience=2", "probe_every"),
            ("replay=0.1", "stage two"),
            ("micro_batch=3", "divide"),
            ("encoders=[{name: mel, layres: [1]}]", "layres"),
            ("sites=everywhere", "sites"),
            ("learning_rate=1", "learning_rate"),
        ],
    )
    def test_settings_that_do_not_fit_together(self, setting, message):
        with pytest.raises(BadInput, match=message):
            load_config(None, stage=1, overrides=(setting,))

    def test_no_memory_left(self, run, monkeypatch):
        from training import step

        def full(*_, **__):
            raise torch.OutOfMemoryError("out of memory")

        monkeypatch.setattr(step, "noise_loss", full)
        with pytest.raises(TrainingError, match="no memory left") as error:
            run(quick())
        assert "micro_batch=1" in error.value.remedy

    def test_checkpoints_that_would_not_fit_are_said_before_the_first_step(self, run, monkeypatch):
        from training import disk

        monkeypatch.setattr(disk, "_BYTES_PER_WEIGHT", 2**50)
        with pytest.raises(TrainingError, match="GiB free") as error:
            run(quick())
        assert "keep=1" in error.value.remedy

    def test_a_disk_that_fills_up_keeps_the_last_checkpoint(self, run, prepared, snapshots_root, tmp_path):
        # The kernel's own limit on the size of a file: the second checkpoint, with longer histories, is over it.
        root = tmp_path / "full"
        for part in ("cache", "backbones"):
            shutil.copytree(prepared / part, root / part)
        config = quick(log_every=1, save_every=1, steps=4)
        command = [sys.executable, "-c", FULL, config.model_dump_json(), str(snapshots_root), str(root)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=200)
        assert "no room to write" in done.stdout and "the last checkpoint is kept" in done.stdout, done.stderr
        assert not list(root.rglob("*.tmp"))
        assert train_stage(config, snapshots_root=snapshots_root, runs_root=root).resumed_from == 1

    def test_a_failing_process_says_why(self, run):
        with pytest.raises(BadInput, match="cannot be dealt to 3 processes"):
            run(quick(processes=3))


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
