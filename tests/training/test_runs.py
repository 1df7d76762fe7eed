"""What a run leaves: a log of all of it, checkpoints, an end when it is enough, and a word before hours are spent."""

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from shards.errors import BadInput, TrainingError, Unavailable
from tests.training.staging import lines, losses, quick
from training.adapter.files import load_adapter
from training.loop.log import METRICS, RunLog, open_trackers, read_metrics
from training.settings.config import load_config
from training.stages.result import newest_run
from training.stages.stage import train_stage

FULL = """
import json, resource, sys
from pathlib import Path
from shards.errors import TrainingError
from training.settings.config import TrainConfig
from training.stages.stage import train_stage
config, snapshots, runs = json.loads(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
def progress(done, total, note):
    if note.startswith("train") and done == 2:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    train_stage(TrainConfig.model_validate(config), snapshots_root=snapshots, runs_root=runs, progress=progress)
except TrainingError as error:
    print(error.message, error.remedy)
"""

SAID = """
import json, sys
from pathlib import Path
from shards.errors import ClapboardError
from training.settings.config import TrainConfig
from training.stages.stage import train_stage
config, snapshots, runs = json.loads(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
try:
    train_stage(TrainConfig.model_validate(config), snapshots_root=snapshots, runs_root=runs)
except ClapboardError as error:
    print(f"{type(error).__name__}: {error}")
"""


@pytest.fixture
def after_stage_one(plain, tmp_path) -> Path:
    """A folder of runs with a stage one that was run to its end."""
    return shutil.copytree(plain.run_dir.parent.parent, tmp_path / "both")


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

    def test_a_tracker_without_a_login_is_said_before_anything_is_encoded(self, snapshots_root, tmp_path):
        # In a process of its own: wandb remembers for a whole process how it was first set up.
        known = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
        known |= {"NETRC": str(tmp_path / "netrc"), "WANDB_DIR": str(tmp_path)}
        config = quick(trackers=("wandb",)).model_dump_json()
        command = [sys.executable, "-c", SAID, config, str(snapshots_root), str(tmp_path / "runs")]
        done = subprocess.run(command, env=known, capture_output=True, text=True, timeout=200)
        assert "Unavailable: the tracker wandb does not start" in done.stdout, done.stderr
        assert "wandb login" in done.stdout and not (tmp_path / "runs" / "cache").exists()

    def test_an_unknown_tracker_is_said_before_anything_is_encoded(self, snapshots_root, tmp_path):
        with pytest.raises(BadInput, match="no tracker"):
            train_stage(quick(trackers=("telepathy",)), snapshots_root=snapshots_root, runs_root=tmp_path)
        assert not (tmp_path / "cache").exists()

    def test_trackers_finish_whatever_happens(self, tmp_path, monkeypatch):
        finished = []

        class Recorder:
            requires_logging_directory = False

            def __init__(self, _name): ...

            def store_init_configuration(self, _config): ...

            def finish(self):
                finished.append(True)

        monkeypatch.setattr("accelerate.tracking.LOGGER_TYPE_TO_CLASS", {"recorder": Recorder})
        with pytest.raises(BadInput), open_trackers(("recorder", "telepathy"), tmp_path, {}):
            pass
        with pytest.raises(ValueError), open_trackers(("recorder",), tmp_path, {}):
            raise ValueError
        assert finished == [True, True]

    def test_numbers_that_are_not_finite_are_null_in_valid_json(self, tmp_path):
        for first_step in (0, 2):
            RunLog(tmp_path, first_step=first_step).write(
                1, {"probe": {"shift_gap_error": math.inf, "also": [math.nan]}}
            )
            for line in (tmp_path / METRICS).read_text().splitlines():
                said = json.loads(line, parse_constant=pytest.fail)
                assert said == {"step": 1, "probe": {"shift_gap_error": None, "also": [None]}}
        assert read_metrics(tmp_path / METRICS)[0]["probe"]["shift_gap_error"] == math.inf

    def test_a_probe_of_a_single_video_leaves_valid_json(self, run):
        result = run(quick(probe_every=6, probe_clips=1))
        text = (result.run_dir / METRICS).read_text()
        probes = [json.loads(line, parse_constant=pytest.fail) for line in text.splitlines() if "probe" in line]
        assert [line["probe"]["shift_gap_error"] for line in probes] == [None]

    def test_a_line_that_a_kill_cut_off_is_left_out(self, tmp_path):
        (tmp_path / "m.jsonl").write_text('{"step": 1}\n{"step": 2}\n{"ste')
        assert read_metrics(tmp_path / "m.jsonl") == [{"step": 1}, {"step": 2}]


class TestTheEnd:
    def test_it_stops_when_probes_get_no_better_and_keeps_the_best(self, run):
        # So large steps make the adapter worse at once.
        result = run(quick(lr=0.5, steps=30, probe_every=2, patience=2, warmup_steps=0, ema=0.0))
        probes = [(line["step"], line["probe"]["shift_gap"]) for line in lines(result) if "probe" in line]
        assert result.finished and result.steps_done < 30
        assert len(probes) == 1 + max(range(len(probes)), key=lambda n: probes[n][1]) + 2
        assert result.probe["shift_gap"] == pytest.approx(max(gap for _, gap in probes), rel=1e-5)
        assert (result.run_dir / "checkpoints" / "best" / "average.safetensors").is_file()

    def test_old_checkpoints_go_and_the_best_stays(self, run):
        result = run(quick(steps=3, save_every=1, keep=2, probe_every=1))
        assert {path.name for path in (result.run_dir / "checkpoints").iterdir()} == {"000002", "000003", "best"}

    def test_a_damaged_newest_checkpoint_is_passed_over(self, run, plain, after_stage_one):
        run_dir = after_stage_one / "stage-one" / plain.run_dir.name
        (run_dir / "result.json").unlink()
        newest = run_dir / "checkpoints" / "000006"
        (newest / "tensors.safetensors").write_bytes(b"cut off")
        again = run(quick(), where=after_stage_one.name)
        assert again.resumed_from == 3 and losses(again) == losses(plain)


class TestStageTwo:
    def test_balanced_with_replay_from_stage_one(self, run, after_stage_one):
        two = run(quick(2, steps=2, balance=True, replay=0.2), where=after_stage_one.name)
        notes = load_adapter(two.adapter_dir).notes
        assert notes["stage"] == 2 and notes["snapshot"] == "curated/v1"

    def test_another_adapter_than_stage_ones_is_refused(self, run, after_stage_one):
        with pytest.raises(TrainingError, match="another adapter"):
            run(quick(2, window_radius_s=0.1), where=after_stage_one.name)

    def test_the_newest_run_is_stage_twos(self, run, after_stage_one):
        two = run(quick(2, steps=2), where=after_stage_one.name)
        assert newest_run(after_stage_one) == two.run_dir


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
        from training.loop import step

        def full(*_, **__):
            raise torch.OutOfMemoryError("out of memory")

        monkeypatch.setattr(step, "noise_loss", full)
        with pytest.raises(TrainingError, match="no memory left") as error:
            run(quick())
        assert "micro_batch=1" in error.value.remedy

    def test_checkpoints_that_would_not_fit_are_said_before_the_first_step(self, run, monkeypatch):
        from training.loop import disk

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
