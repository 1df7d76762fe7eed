"""An image and a sound go in, a video as long as the sound, with that very sound, comes out."""

import math

import av
import numpy as np
import pytest
import torch

from shards.errors import BadInput
from tests.training.staging import noisy_run
from training.animate.make import animate
from training.animate.parts import sound_features
from training.animate.sample import sample_latents
from training.animate.settings import SampleSettings
from training.backbones import open_backbone
from training.data.media import read_frames, read_image, read_sound

RATE_HZ = 44_100


def write_wav(path, wave, rate_hz=RATE_HZ):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=rate_hz, layout="mono")
        frame = av.AudioFrame.from_ndarray((wave * 32767).astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = rate_hz, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_png(path, pixels):
    with av.open(str(path), "w", format="image2") as container:
        stream = container.add_stream("png", rate=1)
        stream.height, stream.width = pixels.shape[:2]
        stream.pix_fmt = "rgb24"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def clicks(seconds: float, *times_s: float) -> np.ndarray:
    wave = np.zeros(round(seconds * RATE_HZ))
    for time_s in times_s:
        start = round(time_s * RATE_HZ)
        piece = wave[start : start + 2000]
        piece += 0.8 * np.sin(np.arange(len(piece)) / 5) * np.exp(-np.arange(len(piece)) / 400)
    return wave


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run's folder with an untrained backbone and an adapter that says something."""
    return noisy_run(tmp_path_factory.mktemp("run"))


@pytest.fixture
def image(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (48, 80, 3)).astype(np.uint8)
    return write_png(tmp_path / "image.png", pixels)


@pytest.mark.parametrize("seconds", [0.7, 2.0, 3.4])
def test_the_video_lasts_as_long_as_the_sound_which_stays_where_it_was(run, image, tmp_path, seconds):
    sound = write_wav(tmp_path / "sound.wav", clicks(seconds, 0.5))
    out = animate(
        run, image=image, sound=sound, out=tmp_path / "deep" / "out.mp4", settings=SampleSettings(num_inference_steps=2)
    )
    with av.open(str(out)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    heard, rate_hz = read_sound(out)
    assert len(frames) == math.ceil(seconds * 6) and min(frames[0].shape[:2]) >= 256
    assert len(heard) / rate_hz == pytest.approx(seconds, abs=0.03)
    assert np.abs(heard).argmax() / rate_hz == pytest.approx(0.5, abs=0.01)
    assert {one.name for one in out.parent.iterdir()} == {"out.mp4", "out.json"}


def test_it_starts_with_the_image(run, image, tmp_path):
    sound = write_wav(tmp_path / "sound.wav", clicks(2, 0.5))
    out = animate(
        run, image=image, sound=sound, out=tmp_path / "out.mp4", settings=SampleSettings(num_inference_steps=2)
    )
    first = read_frames(out.read_bytes(), [0], size_px=(64, 64))[0].astype(float)
    given = read_image(image, size_px=(64, 64)).astype(float)
    assert np.abs(first - given).mean() < 20


def test_the_same_seed_gives_the_same_pictures_and_the_sound_matters(run, image, tmp_path):
    one, other = clicks(2, 0.3), clicks(2, 1.2)
    sounds = [write_wav(tmp_path / f"{n}.wav", wave) for n, wave in enumerate((one, one, other))]
    outs = [
        animate(
            run, image=image, sound=sound, out=tmp_path / f"{n}.mp4", settings=SampleSettings(num_inference_steps=2)
        )
        for n, sound in enumerate(sounds)
    ]
    pictures = [read_frames(out.read_bytes(), range(0, 2_000_000, 170_000), size_px=(64, 64)) for out in outs]
    assert np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])


def test_without_guidance_it_is_the_backbone_alone(run):
    from training.adapter.files import load_adapter

    backbone = open_backbone("tiny")
    backbone.load_weights(run / "weights")
    adapter = load_adapter(run / "adapter").adapter
    first = torch.zeros(1, 3, 1, 64, 64)
    options = {"first": first, "text": torch.zeros(1, 8, 64)}
    features = {r.key: torch.ones(1, r.columns, r.tokens, r.width) for r in adapter.config.rows}
    silent = {key: torch.zeros_like(rows) for key, rows in features.items()}
    settings = SampleSettings(num_inference_steps=2, audio_guidance_scale=0.0)
    one = sample_latents(backbone, adapter, features=features, settings=settings, **options)
    other = sample_latents(backbone, adapter, features=silent, settings=settings, **options)
    assert torch.equal(one, other)
    assert torch.equal(one[:, :, :1], first)


def test_a_video_can_give_the_sound(run, tmp_path, flash_samples):
    from training.adapter.files import load_adapter

    film = tmp_path / "film.mp4"
    film.write_bytes(flash_samples[0].mp4.read())
    with pytest.raises(BadInput, match="no sound track"):
        sound_features(load_adapter(run / "adapter"), film, duration_s=2.0)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("image", None, "no image"),
        ("image", b"words", "no image"),
        ("sound", None, "no sound file"),
        ("sound", b"x", "no sound"),
    ],
)
def test_refuses_what_is_no_image_or_no_sound(run, image, tmp_path, name, content, message):
    given = {"image": image, "sound": write_wav(tmp_path / "s.wav", clicks(2, 1.0))}
    given[name] = tmp_path / "other.bin"
    if content is not None:
        given[name].write_bytes(content)
    with pytest.raises(BadInput, match=message):
        animate(run, out=tmp_path / "out.mp4", **given)
    assert not (tmp_path / "out.mp4").exists()


def test_refuses_a_folder_that_is_no_run(image, tmp_path):
    with pytest.raises(BadInput, match="no finished run"):
        animate(tmp_path, image=image, sound=image, out=tmp_path / "out.mp4")


def test_reads_flac_of_a_clip_at_its_own_rate(flash_samples):
    wave, rate_hz = read_sound(flash_samples[0].flac.read())
    assert (len(wave), rate_hz) == (40_000, 16_000)
