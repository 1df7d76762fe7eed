"""The cache encodes each clip once, goes on after a kill, and never serves what does not fit."""

import numpy as np
import pytest
import torch

from shards.errors import SnapshotError
from shards.reader import read_samples
from shards.schema import Record
from training import cache as cache_module
from training.backbones import open_backbone
from training.cache import build_cache
from training.config import WindowConfig
from training.encoders import open_encoder


@pytest.fixture(scope="module")
def backbone():
    return open_backbone("tiny")


@pytest.fixture(scope="module")
def records(auto_snapshot) -> list[Record]:
    return list(read_samples(auto_snapshot))


def build(root, records, backbone, *, digest="d", windows=None, progress=None):
    return build_cache(
        lambda: iter(records),
        snapshot_digest=digest,
        backbone=backbone,
        encoders=(open_encoder("mel"),),
        windows=windows or WindowConfig(),
        root=root,
        progress=progress,
    )


def test_a_second_build_encodes_nothing(tmp_path, records, backbone):
    first = build(tmp_path, records[:3], backbone)
    again = build(tmp_path, records[:3], backbone)
    assert (first.encoded, first.reused) == (3, 0)
    assert (again.encoded, again.reused) == (0, 3)
    assert again.clips == first.clips


def test_a_killed_build_goes_on_with_the_first_missing_shard(tmp_path, records, backbone, monkeypatch):
    monkeypatch.setattr(cache_module, "CLIPS_PER_SHARD", 2)

    def broken():
        yield from records[:4]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_cache(
            broken,
            snapshot_digest="d",
            backbone=backbone,
            encoders=(open_encoder("mel"),),
            windows=WindowConfig(),
            root=tmp_path,
        )
    report = build(tmp_path, records[:6], backbone)
    assert (report.encoded, report.reused) == (2, 4)
    whole = build(tmp_path / "other", records[:6], backbone)
    for number in range(len(whole.clips)):
        one, other = report.clips.example(number), whole.clips.example(number)
        assert torch.equal(one.latents, other.latents)
        assert all(torch.equal(one.features[key], other.features[key]) for key in one.features)


@pytest.mark.parametrize("change", [{"digest": "e"}, {"windows": WindowConfig(stride_s=0.25)}])
def test_another_snapshot_or_other_windows_are_another_cache(tmp_path, records, backbone, change):
    build(tmp_path, records[:1], backbone)
    assert build(tmp_path, records[:1], backbone, **change).encoded == 1


def test_windows_of_a_clip_are_head_and_tail_and_flash_with_their_clicks(tmp_path, records, backbone):
    clips = build(tmp_path, records, backbone).clips
    assert [entry.start_us for entry in clips.entries if entry.clip == records[0].key] == [0, 500_000]
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


def test_a_clip_that_cannot_be_decoded_is_named(tmp_path, records, backbone):
    bad = Record("ffff", b"not a video", records[0].flac, {})
    with pytest.raises(SnapshotError, match="clip ffff"):
        build(tmp_path, [bad], backbone)


def test_refuses_an_empty_snapshot(tmp_path, backbone):
    with pytest.raises(SnapshotError, match="no clips"):
        build(tmp_path, [], backbone)
