"""The AVSync classifier learns in miniature, goes on where it was stopped, and is read as the released one is."""

import math

import numpy as np
import pytest
import torch

from shards.errors import BadInput
from training.evaluate.benchmarks import open_benchmark
from training.evaluate.films import ClipFormat
from training.evaluate.metrics.sync_classifier import RelSync, SyncClassifier
from training.evaluate.metrics.sync_network import SyncNetwork
from training.evaluate.sync_training import SyncTraining, sync_loss, train_classifier, windows
from training.world import Split
from training.world.folder import draw_folder

SMALL = SyncTraining(steps=6, shifts=3, side_px=32, lr=1e-3)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    draw_folder(folder, 2, split=Split.TRAIN, duration_s=4.0, size_px=64)
    return open_benchmark("folder", folder).sources


def test_windows_are_of_the_right_moments(sources):
    stretch = sources[0].clips(SMALL.stretch)[0]
    banks, frames = windows(stretch, SMALL)
    assert banks.shape == (3, 1, 128, 204) and frames.shape == (3, 3, 12, 32, 32)
    whole = sources[0].clips(ClipFormat(frames=72, fps=30, size_px=(32, 32)))[0]
    np.testing.assert_array_equal(whole.frames, stretch.frames)
    # The second window is the first of a film that begins 0.2 s later: its frame k is frame 6 + 5 k.
    again, _ = windows(stretch, SyncTraining(shifts=1, shift_s=0.2, side_px=32))
    assert torch.equal(again[0], banks[0])
    assert not torch.equal(banks[1], banks[0])


def test_a_network_that_knows_nothing_loses_about_the_logarithm_of_the_windows(sources):
    torch.manual_seed(0)
    network = SyncNetwork().eval()
    loss = sync_loss(network, *windows(sources[0].clips(SMALL.stretch)[0], SMALL), temperature=1.0)
    assert float(loss.detach()) == pytest.approx(math.log(3), rel=0.05)


def test_it_learns_and_is_read_as_the_released_one(sources, tmp_path):
    losses = train_classifier(sources[:1], tmp_path, SyncTraining(steps=24, shifts=3, side_px=32, lr=1e-3))
    assert np.mean(losses[-4:]) < 0.8 * np.mean(losses[:4])
    classifier = SyncClassifier(tmp_path)
    classifier.check()
    clip = sources[0].clips(ClipFormat(size_px=(64, 64)))[0]
    assert RelSync(classifier).value(clip, clip) == pytest.approx(50.0)
    assert np.isfinite(classifier.phi(clip))


def test_stopped_it_goes_on(sources, tmp_path):
    told = []

    def stop(done: int, of: int, note: str) -> None:
        told.append(done)
        if len(told) == 2:
            raise KeyboardInterrupt

    settings = SyncTraining(steps=4, shifts=2, side_px=32, save_every=2)
    with pytest.raises(KeyboardInterrupt):
        train_classifier(sources, tmp_path / "one", settings, progress=stop)
    losses = train_classifier(sources, tmp_path / "one", settings, progress=lambda done, of, note: told.append(done))
    assert told == [1, 2, 3, 4]
    assert losses == train_classifier(sources, tmp_path / "two", settings)


def test_a_video_that_is_too_short_is_named(sources, tmp_path):
    with pytest.raises(BadInput, match="is shorter than 6 s"):
        train_classifier(sources, tmp_path, SyncTraining(steps=1, side_px=32))
