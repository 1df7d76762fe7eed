"""The cache encodes each clip once, goes on after a kill, and never serves what does not fit."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from shards.errors import SnapshotError, TrainingError
from shards.publishing import publish
from shards.schema import Blob
from shards.snapshot import open_snapshot
from training.backbones import open_backbone
from training.cache import build as cache_module
from training.cache.build import build_cache, live_clips
from training.cache.parts import Pictures, Sound, Words
from training.encoders import open_encoder
from training.parallel import World
from training.settings.config import EncoderConfig, WindowConfig


@pytest.fixture(scope="module")
def backbone():
    return open_backbone("tiny")


@pytest.fixture
def few(tmp_path, flash_samples):
    """A snapshot of six clips, in shards of two of the cache."""
    publish(tmp_path / "snapshots", "few", flash_samples[:6], recipe={})
    return open_snapshot(tmp_path / "snapshots", "few")


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(cache_module, "CLIPS_PER_SHARD", 2)


def parts(backbone, *layers: int):
    mel = open_encoder(EncoderConfig(name="mel", layers=layers))
    return [Sound(mel, duration_s=2.0), Words(backbone), Pictures(backbone)]


def build(root, snapshot, backbone, *, windows=None, layers=(), **more):
    return build_cache(snapshot, parts(backbone, *layers), windows or WindowConfig(), duration_s=2.0, root=root, **more)


def same(one, other) -> bool:
    return all(
        torch.equal(a.latents, b.latents)
        and torch.equal(a.text, b.text)
        and all(torch.equal(a.features[key], b.features[key]) for key in a.features)
        for a, b in ((one.example(n), other.example(n)) for n in range(len(one)))
    )


def test_a_second_build_encodes_nothing(tmp_path, few, backbone):
    first, again = build(tmp_path, few, backbone), build(tmp_path, few, backbone)
    assert (first.encoded, first.reused) == (6, 0)
    assert (again.encoded, again.reused) == (0, 6)
    assert again.clips == first.clips


def test_a_killed_build_goes_on_with_the_first_missing_shard(tmp_path, few, backbone, small_shards):
    def killed(done, total, note):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "a", few, backbone, progress=killed)
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "a").rglob("*.safetensors")}
    assert len(written) == 5
    report = build(tmp_path / "a", few, backbone)
    assert all(path.stat().st_mtime_ns == then for path, then in written.items())
    assert same(report.clips, build(tmp_path / "b", few, backbone).clips)


def test_ranks_share_the_shards_and_leave_what_one_would(tmp_path, few, backbone, small_shards):
    class Apart(World):
        def wait(self):
            pass

        def total(self, count):
            return count

    reports = [build(tmp_path / "a", few, backbone, world=Apart(rank, 2, "cpu")) for rank in (0, 1)]
    assert [report.encoded for report in reports] == [4, 2]
    assert same(reports[1].clips, build(tmp_path / "b", few, backbone).clips)


def test_other_windows_are_another_cache_and_another_encoder_leaves_the_rest(tmp_path, few, backbone):
    build(tmp_path, few, backbone)
    assert build(tmp_path, few, backbone, windows=WindowConfig(stride_s=0.25)).encoded == 6
    before = {path.parent.name for path in tmp_path.rglob("*.safetensors")}
    build(tmp_path, few, backbone, layers=(1,))
    (fresh,) = {path.parent.name for path in tmp_path.rglob("*.safetensors")} - before
    assert fresh.startswith("sound-mel-")


def test_without_a_cache_the_numbers_are_the_same(tmp_path, few, backbone):
    cached = build(tmp_path, few, backbone).clips
    live = live_clips(few, parts(backbone), WindowConfig(), duration_s=2.0)
    assert live.entries == cached.entries
    assert same(live, cached)


def test_a_damaged_shard_is_named_with_what_mends_it(tmp_path, few, backbone):
    clips = build(tmp_path, few, backbone).clips
    shard = next(clips.folders[0].glob("*.safetensors"))
    shard.write_bytes(shard.read_bytes()[:40])
    with pytest.raises(TrainingError, match="cannot be read") as error:
        clips.example(0)
    shard.with_suffix(".json").unlink()
    assert str(shard.with_suffix(".json")) in error.value.remedy
    assert build(tmp_path, few, backbone).encoded == 6
    clips.example(0)


def test_a_flipped_byte_is_seen_when_it_is_read(tmp_path, few, backbone):
    clips = build(tmp_path, few, backbone).clips
    shard = next(clips.folders[2].glob("*.safetensors"))
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    with pytest.raises(TrainingError, match="not what was written"):
        for number in range(len(clips)):
            clips.example(number)


@pytest.fixture(scope="module")
def flashes(tmp_path_factory, auto_snapshot, backbone):
    return build(tmp_path_factory.mktemp("flashes"), auto_snapshot, backbone).clips


def test_windows_of_a_clip_are_head_and_tail_and_flash_with_their_clicks(flashes, backbone):
    clips = flashes
    assert [entry.start_us for entry in clips.entries if entry.clip == clips.entries[0].clip] == [0, 500_000]
    by_lag = [
        np.mean([_flash_click_correlation(clips.example(n), backbone, lag) for n in range(len(clips))])
        for lag in range(-3, 4)
    ]
    assert int(np.argmax(by_lag)) == 3 and by_lag[3] > 0.5


def _flash_click_correlation(example, backbone, lag: int) -> float:
    """Correlation of brightness with the loudest onset during each frame, the sound moved by `lag` frames."""
    lit = backbone.decode_video(example.latents)[:, 20:44, 20:44].astype(float).mean(axis=(1, 2, 3))
    onset = example.features["mel/onset"].sum(dim=(1, 2)).numpy()
    frame_of_column = ((np.arange(len(onset)) * 0.04 + 0.016) * backbone.video.fps).astype(int).clip(0, 11)
    loud = np.array([onset[frame_of_column == frame].max() for frame in range(12)])
    return float(np.corrcoef(lit, np.roll(loud, lag))[0, 1])


def test_a_clip_that_cannot_be_decoded_is_named(tmp_path, flash_samples, backbone):
    bad = replace(flash_samples[0], mp4=Blob.of(b"not a video"))
    publish(tmp_path / "snapshots", "bad", [bad], recipe={})
    with pytest.raises(SnapshotError, match=f"clip {bad.record.key}"):
        build(tmp_path, open_snapshot(tmp_path / "snapshots", "bad"), backbone)
