"""A stage on several processes and machines: the numbers of one, and one end for all of them."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from shards.errors import BadInput, TrainingError
from tests.training.staging import losses, quick, weights
from tests.waiting import alive, command_line, family, until
from training.parallel import World
from training.settings.config import TrainConfig
from training.stages.launch import write_job
from training.stages.lock import alone_in
from training.stages.result import StageResult
from training.stages.stage import build_stage_cache, train_stage

pytestmark = pytest.mark.slow

SPREAD = {"processes": 2, "shard_network": True}


def test_in_two_processes_up_to_rounding_and_for_the_same_samples(plain, run):
    both = run(quick(processes=2))
    assert both.finished and both.steps_done == 6
    assert losses(both) == pytest.approx(losses(plain), rel=1e-4)
    for name, one in weights(plain).items():
        assert torch.allclose(one, weights(both)[name], atol=1e-4), name
    assert both.probe["matched"] == pytest.approx(plain.probe["matched"], rel=1e-3)


@pytest.fixture(scope="module")
def in_turn(prepared, published, snapshots_root, tmp_path_factory) -> Callable[[TrainConfig], StageResult]:
    """Stages that two ranks trained one after the other, for starting them takes longer; finds what came of one."""
    root = tmp_path_factory.mktemp("in-turn")
    for part in ("cache", "backbones"):
        shutil.copytree(prepared / part, root / part)
    listed = [config.model_dump_json() for config in (SAMPLED_SPREAD, half_precision(published))]
    (root / "in_turn.py").write_text(IN_TURN)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command += [str(root / "in_turn.py"), str(snapshots_root), str(root), *listed]
    subprocess.run(command, timeout=250, check=True)

    def find(config: TrainConfig) -> StageResult:
        result = train_stage(config, snapshots_root=snapshots_root, runs_root=root)
        assert not result.fresh
        return result

    return find


IN_TURN = """
import sys
from pathlib import Path
from training.parallel import leave
from training.settings.config import TrainConfig
from training.stages.stage import train_stage

for given in sys.argv[3:]:
    config = TrainConfig.model_validate_json(given)
    train_stage(config, snapshots_root=Path(sys.argv[1]), runs_root=Path(sys.argv[2]))
leave()
"""
# Three videos for two ranks: one of them makes a second pass that is thrown away, or both would wait for ever.
SAMPLED = {"sample_every": 6, "samples": 3}
SAMPLED_SPREAD = quick(**SAMPLED, **SPREAD)


def half_precision(published: dict[str, Path]) -> TrainConfig:
    return quick(
        backbone="wan2.2-ti2v-5b", weights=published["wan2.2-ti2v-5b"], frames=9, size_px=(32, 32), audio_width=16,
        budget=0.03, steps=2, batch=2, save_every=2, precision="bf16", held_out=0.25, windows={"per_clip": 1}, **SPREAD,
    )  # fmt: skip


def test_with_the_generator_spread_over_two_processes_which_share_the_samples(in_turn, run):
    alone, spread = run(quick(**SAMPLED)), in_turn(SAMPLED_SPREAD)
    assert losses(spread) == pytest.approx(losses(alone), rel=1e-4)
    names = [sorted(path.name for path in (one.run_dir / "samples/000006").iterdir()) for one in (alone, spread)]
    assert names[0] == names[1] and len(names[0]) == 3


def test_a_published_generator_in_half_precision_is_spread_over_two_processes(in_turn, published):
    result = in_turn(half_precision(published))
    assert result.finished and result.last_loss > 0


def test_a_snapshot_is_encoded_by_as_many_processes_as_train(snapshots_root, tmp_path):
    report = build_stage_cache(quick(processes=2), snapshots_root=snapshots_root, runs_root=tmp_path)
    assert report.encoded == len({entry.clip for entry in report.clips.entries}) and report.reused == 0
    again = build_stage_cache(quick(), snapshots_root=snapshots_root, runs_root=tmp_path)
    assert again.encoded == 0 and again.reused == report.encoded


def test_two_processes_never_share_a_runs_folder(tmp_path):
    holding = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(holding, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "mine\n"
        with pytest.raises(TrainingError, match=f"process {holder.pid} is at work"), alone_in(tmp_path, patience_s=0.3):
            pass
        holder.kill()
        # The system gives it back, however it ended.
        with alone_in(tmp_path, patience_s=30):
            pass


HOLD = """
import sys
from pathlib import Path
from training.stages.lock import alone_in

with alone_in(Path(sys.argv[1])):
    print("mine", flush=True)
    sys.stdin.read()
"""


def test_stopped_before_the_first_step_is_no_failure(snapshots_root, tmp_path):
    def ask(done, total, note):
        if note.startswith("cache"):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(TrainingError, match="stopped before the first step"):
        train_stage(quick(processes=2), snapshots_root=snapshots_root, runs_root=tmp_path, progress=ask)


def test_two_machines_run_a_written_job(prepared, snapshots_root, tmp_path):
    shutil.copytree(prepared, tmp_path / "runs")
    shutil.rmtree(tmp_path / "runs" / "stage-one")
    config = quick(steps=2)
    write_job(tmp_path / "job.json", config, snapshots_root=snapshots_root, runs_root=tmp_path / "runs")
    port = free_port()
    command = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1"]
    command += ["--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{port}", "-m", "training.stages.worker"]
    command += [str(tmp_path / "job.json")]
    machines = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [one.communicate(timeout=250)[0] for one in machines]
    assert [one.returncode for one in machines] == [0, 0]
    found = train_stage(config, snapshots_root=snapshots_root, runs_root=tmp_path / "runs")
    assert not found.fresh and found.steps_done == 2
    assert sum(f"run_dir: {found.run_dir}" in one for one in said) == 1


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_sigterm_ends_all_processes_with_a_checkpoint(run, prepared, snapshots_root, tmp_path):
    def ask(done, total, note):
        if note.startswith("train") and done == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    config = quick(processes=2, steps=400, log_every=2, save_every=200)
    half = run(config, where="one", progress=ask)
    assert not half.finished and 2 <= half.steps_done < 400


def test_a_failing_process_says_why(run):
    with pytest.raises(BadInput, match="no tracker 'telepathy'"):
        run(quick(processes=2, trackers=("telepathy",)))


def test_a_batch_that_cannot_be_dealt_is_refused_before_anything_is_encoded(snapshots_root, tmp_path, monkeypatch):
    # As where torchrun was started by hand with another number of processes than the job's.
    monkeypatch.setattr("training.parallel.join", lambda device: World(0, 3, device))
    with pytest.raises(BadInput, match="cannot be dealt to 3 processes"):
        train_stage(quick(), snapshots_root=snapshots_root, runs_root=tmp_path)
    assert not (tmp_path / "cache").exists()


TRAIN = """
import sys
from pathlib import Path
from training.settings.config import TrainConfig
from training.stages.stage import train_stage

def progress(done, total, note):
    print(note if done < 2 else "under way", flush=True)

if __name__ == "__main__":
    config = TrainConfig.model_validate_json(sys.argv[1])
    train_stage(config, snapshots_root=Path(sys.argv[2]), runs_root=Path(sys.argv[3]), progress=progress)
"""


@pytest.mark.parametrize("where", ["the command", "torchrun"])
def test_no_process_outlives_the_one_that_is_killed(prepared, snapshots_root, tmp_path, where):
    for part in ("cache", "backbones"):
        shutil.copytree(prepared / part, tmp_path / part)
    config = quick(processes=2, steps=100_000, log_every=2, save_every=50_000)
    command = [sys.executable, "-c", TRAIN, config.model_dump_json(), str(snapshots_root), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as training:
        for line in training.stdout:
            if line == "under way\n":
                break
        started = family(training.pid)
        ranks = {pid for pid in started if b"training.stages.worker" in command_line(pid)}
        torchrun = {pid for pid in ranks if len(family(pid) & ranks) == 2}
        assert len(ranks) >= 3, "torchrun and its two ranks"
        os.kill(training.pid if where == "the command" else max(torchrun), signal.SIGKILL)
        training.stdout.read()
        training.wait(60)
    until(lambda: not any(map(alive, started)))
