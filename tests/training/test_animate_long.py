"""Any length of sound: segments go on from one another without a jump, and picture and sound end together."""

import json
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from shards.errors import BadInput
from tests.training.conftest import as_sound
from tests.training.staging import noisy_run, save_noisy
from training.adapter.files import load_adapter
from training.animate.animator import Animator, Request
from training.animate.make import Job, make_video
from training.animate.sample import sample_latents
from training.animate.segments import Carried, MotionMeter, SegmentPlan, crossfaded, falling, joint_jumps
from training.animate.settings import SampleSettings, Scheduler
from training.animate.walks import walk_of
from training.backbones import BackboneOptions, open_backbone
from training.settings.config import stage_config
from training.timing import VideoTiming

RATE_HZ = 16_000
TWO_STEPS = SampleSettings(num_inference_steps=2)
SMALL = {
    "wan2.2-ti2v-5b": {"frames": 9, "size_px": (32, 32)},
    "wan2.1-i2v-14b": {"frames": 9, "size_px": (32, 32)},
    "animatediff": {"frames": 8, "size_px": (64, 64)},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """An untrained backbone and an adapter that says something."""
    return noisy_run(tmp_path_factory.mktemp("run"))


def beats(seconds: float) -> np.ndarray:
    wave = np.zeros(round(seconds * RATE_HZ), np.float32)
    for start in range(2000, len(wave) - 900, 6000):
        wave[start : start + 800] = np.random.default_rng(start).uniform(-0.8, 0.8, 800)
    return wave


def request(animator, seconds, caption="", **settings):
    picture = np.random.default_rng(1).integers(60, 200, (*animator.backbone.size_px, 3)).astype(np.uint8)
    settings = SampleSettings(num_inference_steps=2, **settings)
    return Request(picture, beats(seconds), RATE_HZ, caption, settings)


@given(st.integers(2, 25), st.sampled_from([1, 4]), st.integers(1, 400))
def test_segments_cover_every_frame_once_and_neighbours_share_what_is_carried(latents, ratio, frames):
    plan = SegmentPlan(VideoTiming(frames=1 + (latents - 1) * ratio, fps=8, ratio=ratio), frames)
    segments = plan.segments()
    covered = [frame for one in segments for frame in range(one.start, one.start + one.kept)]
    assert covered == list(range(frames))
    assert all(one.kept <= plan.video.frames for one in segments)
    assert all(b.start - a.start == plan.video.frames - plan.carried_frames for a, b in pairwise(segments))
    assert (plan.carried_frames - 1) % ratio == 0


def test_single_pictures_cannot_go_on():
    with pytest.raises(BadInput, match="cannot go on"):
        SegmentPlan(VideoTiming(frames=1, fps=8), 9).segments()


def test_a_crossfade_begins_with_the_one_and_ends_near_the_other():
    before, after = (np.full((4, 2, 2, 3), level, np.uint8) for level in (100, 200))
    assert crossfaded(before, after)[:, 0, 0, 0].tolist() == [100, 125, 150, 175]
    carried = Carried(torch.ones(1, 1, 4, 1, 1), torch.from_numpy(falling(4)))
    mixed = carried.mixed(torch.zeros(1, 1, 6, 1, 1), torch.ones(1, 1, 4, 1, 1))
    assert mixed.flatten().tolist() == [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]


def test_a_jump_is_told_from_usual_motion():
    levels = np.cumsum([2, 2, 2, 2, 40, 2, 2, 2]).astype(np.uint8)
    meter = MotionMeter()
    frames = np.broadcast_to(levels[:, None, None, None], (8, 2, 2, 3))
    assert [len(block) for block in meter.through(iter([frames[:3], frames[3:]]))] == [3, 5]
    assert meter.changes == [0, 2, 2, 2, 40, 2, 2, 2]
    assert joint_jumps(meter.changes, [range(4, 5), range(6, 8)]) == [20.0, 1.0]


@pytest.mark.parametrize("seconds", [2.0, 5.3])
def test_a_long_sound_gives_a_video_as_long_without_a_jump(run, seconds):
    animator, meter = Animator(run, device="cpu"), MotionMeter()
    asked = request(animator, seconds)
    plan = animator.plan(asked)
    frames = np.concatenate(list(meter.through(animator.frames(asked))))
    assert len(frames) == plan.frames == -(-len(asked.waveform) * 6 // RATE_HZ)
    assert np.array_equal(frames[0], asked.picture)
    joints = plan.joints()
    assert len(joints) == len(plan.segments()) - 1 == (3 if seconds > 5 else 0)
    inside = {frame for joint in joints for frame in joint}
    elsewhere = [change for frame, change in enumerate(meter.changes) if frame and frame not in inside]
    assert all(meter.changes[frame] <= 1.2 * max(elsewhere) for frame in inside)
    assert all(jump < 2.0 for jump in joint_jumps(meter.changes, joints))


def test_what_is_carried_holds_first_and_lets_go_later(run):
    """The new segment's first frames beside those of the one before, with and without carrying."""
    animator = Animator(run, device="cpu")
    asked = request(animator, 4.0)
    plan, backbone = animator.plan(asked), animator.backbone
    first = next(iter(animator.frames(request(animator, 2.0))))
    tail = first[plan.stride :]
    known = backbone.encode_video(tail).mean[None]
    features = {r.key: torch.ones(1, r.columns, r.tokens, r.width) for r in animator.saved.adapter.config.rows}

    def away(carried):
        latents = sample_latents(
            backbone, animator.saved.adapter, first=known[:, :, :1], text=torch.zeros(1, 8, 64), features=features,
            settings=SampleSettings(num_inference_steps=4), carried=carried,
        )  # fmt: skip
        return (latents[:, :, : known.shape[2]] - known).abs().mean(dim=(0, 1, 3, 4))

    held, free = away(Carried(known, torch.from_numpy(falling(known.shape[2])))), away(None)
    assert held[0] == free[0] == 0
    assert held[1] < 0.35 * free[1] and held[1] < held[2] < held[3] < free[3]


def test_the_first_segment_is_the_short_video_of_the_same_seed(run):
    animator = Animator(run, device="cpu")
    stride = animator.plan(request(animator, 4.0)).stride
    long = next(iter(animator.frames(request(animator, 4.0))))
    short = next(
        iter(animator.frames(Request(request(animator, 2.0).picture, beats(4.0)[:32000], RATE_HZ, settings=TWO_STEPS)))
    )
    assert np.array_equal(long[:stride], short[:stride])


def test_progress_counts_the_steps_of_all_segments(run):
    animator, told = Animator(run, device="cpu"), []
    list(animator.frames(request(animator, 4.0), progress=lambda *one: told.append(one)))
    assert [one[0] for one in told] == list(range(1, 7))
    assert told[-1] == (6, 6, "segment 3 of 3")


def test_words_are_led_away_from_what_is_negative(run):
    animator = Animator(run, device="cpu")
    frames = [
        next(iter(animator.frames(request(animator, 2.0, "a drum", **settings))))
        for settings in ({"guidance_scale": 1.0}, {"guidance_scale": 4.0}, {"guidance_scale": 4.0, "negative": "blur"})
    ]
    assert not np.array_equal(frames[0], frames[1]) and not np.array_equal(frames[1], frames[2])


@pytest.mark.parametrize("name", sorted(SMALL))
def test_every_kind_of_backbone_carries_on(name, published, tmp_path):
    backbone = open_backbone(name, BackboneOptions(published[name], **SMALL[name]))
    notes = {"backbone_weights": str(published[name]), "size_px": list(SMALL[name]["size_px"])}
    config = stage_config(1, backbone=name, audio_width=16, heads=2, budget=0.03)
    save_noisy(tmp_path / "adapter", backbone, config, **notes)
    animator = Animator(tmp_path, device="cpu", offload=True)
    video = animator.backbone.video
    asked = request(animator, (video.frames + 3) / video.fps)
    blocks = list(animator.frames(asked))
    assert [len(block) for block in blocks] == [one.kept for one in animator.plan(asked).segments()]
    assert sum(map(len, blocks)) == video.frames + 3 and len(blocks) == 2


@pytest.mark.parametrize("name", ["tiny", "animatediff"])
def test_solvers_of_higher_order_come_to_where_many_small_steps_do(name, published):
    """On noise whose clean latents are known, every walk ends at them."""
    options = BackboneOptions(published[name], **SMALL[name]) if name in published else BackboneOptions()
    backbone, generator = open_backbone(name, options), torch.Generator().manual_seed(0)
    clean, noise = (torch.randn(1, *backbone.latent_shape, generator=generator) for _ in range(2))
    nothing_given = torch.zeros(1, dtype=torch.bool)
    for scheduler in Scheduler:
        walk = walk_of(backbone, scheduler, steps=8, times=None)
        assert len(walk.times) == 9
        latents = backbone.noise(clean, noise, torch.tensor([walk.times[0]]), nothing_given)
        for number, now in enumerate(walk.times[:-1]):
            latents = walk.step(latents, backbone.target(clean, noise, torch.tensor([now])), number)
        assert torch.allclose(latents, clean, atol=0.05), scheduler


@pytest.mark.parametrize(("samples", "rate_hz"), [(100_013, 44_100), (30_011, 16_000), (50_000, 192_000)])
def test_picture_and_sound_begin_and_end_together(run, grey_image, tmp_path, samples, rate_hz):
    wave = np.resize(beats(3.0), samples)
    sound, out = tmp_path / "sound.wav", tmp_path / "out.mp4"
    sound.write_bytes(as_sound(wave, "wav", rate_hz))
    made = make_video(Animator(run, device="cpu"), Job(grey_image, sound, out, settings=TWO_STEPS))
    with av.open(str(out)) as container:
        picture, heard = container.streams.video[0], container.streams.audio[0]
        assert picture.start_time == 0 and heard.start_time == 0
        for stream in (picture, heard):
            assert float(stream.duration * stream.time_base) == pytest.approx(samples / rate_hz, abs=2e-4)
        assert picture.frames == -(-samples * made.fps // rate_hz)
    assert lag(out, wave, rate_hz) == 0


def lag(path, wave, rate_hz):
    """By how many samples the sound of a file is late."""
    from training.data.media import read_sound

    heard, its_rate = read_sound(path)
    if its_rate != rate_hz:
        wave = wave[:: rate_hz // its_rate]
    count = min(len(heard), len(wave))
    spectrum = np.fft.rfft(heard[:count], 2 * count) * np.conj(np.fft.rfft(wave[:count], 2 * count))
    place = int(np.argmax(np.fft.irfft(spectrum)))
    return place if place < count else place - 2 * count


def test_the_record_says_all_that_made_the_video(run, grey_image, click_sound, tmp_path):
    settings = SampleSettings(num_inference_steps=2, seed=5, negative="blur")
    out = tmp_path / "out.mp4"
    made = make_video(Animator(run, device="cpu"), Job(grey_image, click_sound, out, "a flash", settings))
    record = json.loads(made.record.read_text())
    assert made.record == tmp_path / "out.json"
    assert record["request"]["settings"] == {
        "num_inference_steps": 2, "audio_guidance_scale": 2.0, "guidance_scale": 1.0, "seed": 5, "negative": "blur",
        "scheduler": "own",
    }  # fmt: skip
    assert record["request"]["caption"] == "a flash" and record["request"]["backbone"] == "tiny"
    assert record["video"] == {"frames": 6, "fps": 6, "seconds": 1.0, "size_px": [64, 64], "segments": 1}
    assert len(load_adapter(Path(record["adapter"])).adapter.sites) == 4
