import math

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from shards.errors import BadInput, Unavailable
from training.evaluate.controls import Control, controlled
from training.evaluate.films import EvaluatedClip
from training.evaluate.metrics.av_align import flow_peaks_s, onsets_s, published_share
from training.evaluate.metrics.cycle_sync import CycleSync
from training.evaluate.metrics.desync import DeSync, DeSyncAll, segments
from training.evaluate.metrics.event_f1 import EventError, EventF1
from training.evaluate.metrics.frechet import FrechetPixels, Fvd, frechet_distance, pooled
from training.evaluate.metrics.javis import JavisScore
from training.evaluate.metrics.matching import pairs, union_share
from training.evaluate.metrics.offset import offset_s
from training.evaluate.metrics.similarity import PeAvSimilarity, shown_at
from training.evaluate.metrics.sync_classifier import AlignSync, RelSync, SyncClassifier, mel
from training.evaluate.metrics.sync_network import SyncNetwork
from training.evaluate.registry import METRICS, Tools, chosen
from training.world import FilmSpec, draw

RATE_HZ = 16_000


def drawn(scene="playing_drum", seed=910_000, fps=12, seconds=2.0, size=64):
    film = draw(FilmSpec(scene=scene, seed=seed, duration_s=seconds, width_px=size, height_px=size, fps=fps))
    return EvaluatedClip(
        name=f"{scene}-{seed}_clip-0", video_id=f"{scene}-{seed}", frames=film.frames, fps=fps,
        waveform=film.audio, rate_hz=film.rate_hz, caption=scene, sounds_s=film.sounds_s,
    )  # fmt: skip


def clicks(times_s, seconds=2.0, rate_hz=22_050):
    sound = np.zeros(round(seconds * rate_hz), np.float32)
    burst = np.random.default_rng(0).normal(size=rate_hz // 100).astype(np.float32) * 0.5
    for time in times_s:
        first = round(time * rate_hz)
        sound[first : first + len(burst)] = burst
    return sound


class Space:
    """Frames and sounds in one space: a frame is its mean colour, a sound its first three samples."""

    key, rate_hz = "mean colours", RATE_HZ

    def check(self):
        """Always here."""

    def embed_frames(self, images):
        return self._unit(images.mean(axis=(1, 2)))

    def embed_sounds(self, sounds):
        return self._unit(sounds[:, :3])

    @staticmethod
    def _unit(rows):
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_times_pair_once_and_only_within_reach():
    first, second = np.array([0.0, 1.0, 2.0]), np.array([0.05, 0.06, 1.5])
    assert pairs(first, second, within_s=0.1) == [(0, 0)]
    assert pairs(np.array([0.0]), np.array([0.1]), within_s=0.1) == []
    assert pairs(np.array([0.0]), np.array([0.1]), within_s=0.1, inclusive=True) == [(0, 0)]
    assert union_share(np.zeros(0), np.zeros(0), 0) == 0.0


def test_five_onsets_around_one_peak_are_five_as_published_and_a_fifth_when_each_is_used_once():
    heard, seen = np.array([0.96, 0.98, 1.0, 1.02, 1.04]), np.array([1.0])
    assert published_share(heard, seen, within_s=0.1) == 5.0
    assert union_share(heard, seen, len(pairs(heard, seen, within_s=0.1))) == pytest.approx(0.2)


def test_onsets_and_flow_peaks_lie_where_things_sound_and_move():
    times = (0.4, 0.9, 1.5)
    assert np.abs(onsets_s(clicks(times)) - times).max() < 0.05
    assert not len(onsets_s(np.zeros(22_050, np.float32)))
    texture = np.random.default_rng(0).integers(0, 255, (64, 96), dtype=np.uint8).repeat(2, 0).repeat(2, 1)
    steps = np.cumsum([0, 0, 0, 4, 0, 0, 0, 0, 4, 0, 0, 0])
    frames = np.stack([np.roll(texture, step, axis=1)[:96, :96, None].repeat(3, 2) for step in steps])
    np.testing.assert_allclose(flow_peaks_s(frames, 12), np.array([3, 8]) / 12)


def test_a_true_drawn_film_scores_one_and_its_controls_do_not():
    clip, other = drawn(), drawn("ringing_bell", 910_001)
    assert EventF1().value(clip, clip) == 1.0
    assert EventError().value(clip, clip) == pytest.approx(0.0, abs=1e-9)
    values = {one: EventF1().value(controlled(clip, one, other=other), clip) for one in Control}
    assert values[Control.STATIC] == values[Control.SHIFTED_250] == 0.0
    assert max(values.values()) < 0.8
    assert EventError().value(controlled(clip, Control.STATIC, other=other), clip) == 0.5


def test_event_metrics_say_that_the_sounds_are_unknown():
    clip = EvaluatedClip(
        name="a",
        video_id="a",
        frames=np.zeros((4, 8, 8, 3), np.uint8),
        fps=4,
        waveform=np.zeros(100, np.float32),
        rate_hz=100,
    )
    with pytest.raises(BadInput, match="nobody knows"):
        EventF1().value(clip, clip)


def test_controls_change_the_sound_or_the_picture_and_nothing_else():
    clip, other = drawn(), drawn("ringing_bell", 910_001)
    late = controlled(clip, Control.SHIFTED_500, other=other)
    assert late.frames is clip.frames
    np.testing.assert_array_equal(late.waveform[clip.rate_hz // 2 :], clip.waveform[: -clip.rate_hz // 2])
    assert set(np.round(late.sounds_s, 6)) == set(np.round((clip.sounds_s + 0.5) % 2, 6))
    swapped = controlled(clip, Control.SWAPPED, other=other)
    np.testing.assert_array_equal(swapped.waveform, other.waveform)
    assert swapped.caption == other.caption
    static = controlled(clip, Control.STATIC, other=other)
    assert (static.frames == clip.frames[:1]).all()


@pytest.mark.parametrize("late_s", [-0.3, 0.0, 0.25, 0.7])
def test_an_offset_is_found_to_a_frame(late_s):
    fps, seen = 25, (0.6, 1.04, 1.8, 2.2)
    frames = np.zeros((75, 32, 32, 3), np.uint8)
    level = 40
    for frame in range(75):
        level = 240 - level if any(round(time * fps) == frame for time in seen) else level
        frames[frame] = level
    sound = clicks([time + late_s for time in seen], seconds=3.0, rate_hz=RATE_HZ)
    assert offset_s(frames, fps, sound, RATE_HZ) == pytest.approx(late_s, abs=0.03)


def test_no_offset_is_said_of_a_still_or_silent_film():
    frames, sound = np.zeros((24, 8, 8, 3), np.uint8), clicks([0.5], rate_hz=RATE_HZ)
    assert math.isnan(offset_s(frames, 12, sound, RATE_HZ))
    moving = np.random.default_rng(0).integers(0, 255, (24, 8, 8, 3), dtype=np.uint8)
    assert math.isnan(offset_s(moving, 12, np.zeros_like(sound), RATE_HZ))


@pytest.mark.parametrize(("rows", "width"), [(400, 6), (12, 40)])
def test_the_frechet_distance_is_that_of_the_matrix_root(rows, width):
    random = np.random.default_rng(0)
    first = random.normal(size=(rows, width)) @ random.normal(size=(width, width))
    second = random.normal(size=(rows + 3, width)) + 0.3
    a, b = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    gap = first.mean(axis=0) - second.mean(axis=0)
    wanted = gap @ gap + np.trace(a + b - 2 * np.real(sqrtm(a @ b)))
    assert frechet_distance(first, second) == pytest.approx(wanted, rel=1e-4)
    assert frechet_distance(first, first) == pytest.approx(0.0, abs=1e-6)
    # Summed up clip by clip it is the same.
    metric = FrechetPixels()
    parts = [[metric.summary(part) for part in np.array_split(rows, 3)] for rows in (first, second)]
    assert metric.distance(*parts) == pytest.approx(wanted, rel=1e-4)


def test_the_frechet_distance_of_moved_rows_is_the_square_of_the_way():
    rows = np.random.default_rng(1).normal(size=(50, 3))
    assert frechet_distance(rows, rows + np.array([3.0, 4.0, 0.0])) == pytest.approx(25.0)
    with pytest.raises(BadInput, match="two clips"):
        frechet_distance(rows[:1], rows)


def test_pooled_pixels_are_means_of_cells():
    frames = np.zeros((1, 8, 8, 3), np.uint8)
    frames[0, :2, :2] = 255
    assert pooled(frames)[0, 0, 0].tolist() == [1.0, 1.0, 1.0]
    assert pooled(frames).sum() == 3.0
    assert FrechetPixels().features(drawn()).shape == (23, 48)


def test_fvd_asks_a_torchscript_file_with_the_predecessors_pixels(tmp_path):
    class Net(torch.nn.Module):
        def forward(self, x: torch.Tensor, rescale: bool, resize: bool, return_features: bool) -> torch.Tensor:
            assert not rescale and not resize and return_features
            return torch.stack([x.amin(), x.amax(), torch.tensor(float(x.shape[2])), torch.tensor(float(x.shape[3]))])[
                None
            ]

    path = tmp_path / "i3d.pt"
    torch.jit.script(Net()).save(str(path))
    metric = Fvd(path)
    metric.check()
    clip = drawn()
    low, high, frames, side = metric.features(clip)[0]
    assert (frames, side) == (24, 224)
    assert -1.2 < low < high < 1.2
    assert "sha256" in metric.protocol
    with pytest.raises(Unavailable, match="needs the file"):
        Fvd().check()
    (tmp_path / "no.pt").write_bytes(b"no network")
    with pytest.raises(BadInput, match="TorchScript"):
        Fvd(tmp_path / "no.pt").features(clip)


def random_classifier():
    torch.manual_seed(0)
    return SyncNetwork().eval()


def test_a_perfect_copy_has_relsync_50_and_alignsync_25_where_all_frames_mean_the_same():
    still = drawn(fps=6)
    still = still.with_frames(np.repeat(still.frames[:1], 12, axis=0))
    classifier = SyncClassifier(network=random_classifier())
    assert RelSync(classifier).value(still, still) == pytest.approx(50.0)
    assert AlignSync(classifier, Space()).value(still, still) == pytest.approx(25.0, abs=1e-4)


def test_relsync_is_the_softmax_of_two_scores_and_needs_two_seconds():
    truth, film = drawn(fps=6), drawn("ringing_bell", 910_003, fps=6)
    classifier = SyncClassifier(network=random_classifier())
    film = truth.with_frames(film.frames)
    scores = np.exp([classifier.phi(film), classifier.phi(truth)])
    assert RelSync(classifier).value(film, truth) == pytest.approx(100 * scores[0] / scores.sum(), rel=1e-5)
    with pytest.raises(BadInput, match="no clip of 2 s"):
        classifier.phi(drawn(seconds=3.0))


def test_the_released_classifiers_parts_are_loaded_whole(tmp_path):
    network = random_classifier()
    for part in ("audio_encoder", "video_encoder", "head"):
        (tmp_path / part).mkdir()
        torch.save(network.get_submodule(part).state_dict(), tmp_path / part / "diffusion_pytorch_model.bin")
    loaded, clip = SyncClassifier(tmp_path), drawn(fps=6)
    loaded.check()
    assert loaded.phi(clip) == pytest.approx(SyncClassifier(network=network).phi(clip))
    (tmp_path / "head" / "diffusion_pytorch_model.bin").unlink()
    with pytest.raises(BadInput, match="holds no weights"):
        SyncClassifier(tmp_path).check()
    with pytest.raises(Unavailable, match="AVSync classifier"):
        SyncClassifier().check()


def test_the_classifiers_spectrogram_has_imagebinds_shape_and_scale():
    bank = mel(drawn())
    assert bank.shape == (1, 128, 204)
    # What lies behind two seconds is nothing, normalised.
    assert bank[0, :, -3:].numpy() == pytest.approx(4.268 / 9.138)


class Late:
    """Says that each run of segments is off by as many steps of 0.2 s as its first segment's first frame is bright."""

    key = "a made-up offset"

    def check(self):
        """Always here."""

    def features(self, images, sounds):
        assert images.shape[1:] == (16, 224, 224, 3)
        assert sounds.shape[1:] == (10_240,)
        return images[:, 0].mean(axis=(1, 2, 3))[:, None, None], sounds[:, :1, None]

    def offsets(self, seen, heard):
        assert len(seen) == len(heard) == 14
        return np.eye(21)[10 + round(float(seen[0, 0, 0]))]


def ramp(seconds):
    """25 frames a second, each segment's first frame one brighter than the one before."""
    count = round(seconds * 25)
    frames = np.zeros((count, 16, 16, 3), np.uint8)
    frames[:] = (np.arange(count) // 8)[:, None, None, None]
    return EvaluatedClip(
        name="r", video_id="r", frames=frames, fps=25, waveform=np.zeros(count * 640, np.float32), rate_hz=RATE_HZ
    )


def test_desync_is_the_mean_of_the_first_and_the_last_fourteen_segments():
    # 8 s are 24 segments, as in MMAudio's evaluation: the last run begins at the tenth.
    assert len(segments(ramp(8.0))[0]) == 24
    assert DeSync(Late()).value(ramp(8.0), ramp(8.0)) == pytest.approx((0 + 10 * 0.2) / 2)
    assert math.isnan(DeSync(Late()).value(ramp(4.0), ramp(4.0)))
    assert DeSync(Late()).value(ramp(4.8), ramp(4.8)) == 0.0


def test_ten_seconds_have_seventeen_positions():
    metric = DeSyncAll(Late())
    assert len(metric._runs(len(segments(ramp(10.0))[0]))) == 17
    assert metric.value(ramp(6.0), ramp(6.0)) == pytest.approx(np.mean([0, 1, 2, 3]) * 0.2)


def test_javis_score_is_the_mean_of_the_worst_frames_of_each_window():
    random = np.random.default_rng(0)
    frames = random.integers(0, 255, (30, 8, 8, 3), dtype=np.uint8)
    sound = random.normal(size=3 * RATE_HZ).astype(np.float32)
    clip = EvaluatedClip(name="j", video_id="j", frames=frames, fps=10, waveform=sound, rate_hz=RATE_HZ)
    space, wanted = Space(), []
    for start in (0.0, 0.5, 1.0):
        seen = space.embed_frames(frames[int(start * 10) : int(start * 10) + 20])
        heard = space.embed_sounds(sound[None, int(start * RATE_HZ) :])[0]
        wanted.append(np.sort(seen @ heard)[:8].mean())
    assert JavisScore(space).value(clip, clip) == pytest.approx(np.mean(wanted), rel=1e-5)


class Echo:
    """A video-to-audio model that clicks wherever the picture brightens."""

    key = "clicks at flashes"

    def sound_for(self, frames, fps, caption, *, rate_hz):
        bright = np.flatnonzero(np.diff(frames.mean(axis=(1, 2, 3))) > 5) + 1
        return clicks(bright / fps, seconds=len(frames) / fps, rate_hz=rate_hz)


def test_cycle_sync_is_a_hundred_where_the_picture_tells_all_of_the_sound():
    frames = np.zeros((50, 8, 8, 3), np.uint8)
    frames[[12, 24, 40]] = 200
    made = {"name": "c", "video_id": "c", "frames": frames, "fps": 25, "rate_hz": 22_050}
    clip = EvaluatedClip(**made, waveform=clicks(np.array([12, 24, 40]) / 25))
    assert CycleSync(Echo()).value(clip, clip) == pytest.approx(100.0)
    # Two of three at their times, one elsewhere: 2 of 4.
    other = EvaluatedClip(**made, waveform=clicks(np.array([12, 24, 34]) / 25))
    assert CycleSync(Echo()).value(other, other) == pytest.approx(50.0)
    with pytest.raises(Unavailable, match="video-to-audio"):
        CycleSync().check()


def test_frames_are_shown_until_the_next_one():
    assert shown_at(4, 2.0, 4).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert shown_at(50, 25.0, 25).tolist() == list(range(50))


def test_a_metric_without_its_network_says_so_before_anything_is_decoded():
    with pytest.raises(Unavailable, match="pe_av needs a network"):
        PeAvSimilarity().check()
    with pytest.raises(BadInput, match="no metric 'nothing'"):
        chosen(["nothing"])
    made = {name: make(Tools()) for name, make in METRICS.items()}
    assert {name: metric.name for name, metric in made.items()} == {name: name for name in METRICS}
    assert len({metric.protocol for metric in made.values()}) == len(made)
