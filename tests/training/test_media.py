"""Training sees and hears what a person would: upright photos on white, the default track, no cancelled sound."""

from fractions import Fraction

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from training.data.media import read_image, read_sound
from training.data.mux import read_track, write_video

RATE_HZ = 48_000
BLACK = np.zeros((10, 32, 32, 3), np.uint8)
CORNERS = ((3, 3), (3, -4), (-4, 3), (-4, -4))


def tone(hz=440.0):
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(RATE_HZ) / RATE_HZ)).astype(np.float32)


def write_sounds(path, *tracks, codec="flac", layout="stereo"):
    """Tracks of (samples, is default)."""
    with av.open(str(path), "w") as out:
        # Family 2 is ambisonics (RFC 8486, 3.1).
        options = {"mapping_family": "2"} if layout.startswith("ambisonic") else {}
        streams = [out.add_stream(codec, rate=RATE_HZ, layout=layout, options=options) for _ in tracks]
        for stream, (_, default) in zip(streams, tracks, strict=True):
            stream.disposition = Disposition.default if default else Disposition(0)
        for stream, (channels, _) in zip(streams, tracks, strict=True):
            packed = np.ascontiguousarray(channels.T.reshape(1, -1))
            frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, 0, Fraction(1, RATE_HZ)
            resampler = av.AudioResampler(
                format=stream.codec_context.format.name, rate=RATE_HZ, frame_size=stream.codec_context.frame_size or 960
            )
            for piece in [*resampler.resample(frame), *resampler.resample(None)]:
                out.mux(stream.encode(piece))
            out.mux(stream.encode(None))
    return path


def drawn():
    picture = np.zeros((60, 100, 4), np.uint8)
    picture[:30, :50], picture[:30, 50:], picture[30:, :50], picture[30:, 50:] = (
        (255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255), (255, 255, 255, 255),
    )  # fmt: skip
    return picture


def seen(path):
    image = read_image(path, size_px=(32, 40)).astype(int)
    assert image.shape == (32, 40, 3)
    return [image[corner] for corner in CORNERS]


@pytest.mark.parametrize("tag", [1, 2, 3, 6, 7])
def test_a_photo_stands_upright(tmp_path, tag):
    exif = Image.Exif()
    exif[0x0112] = tag
    # What makes it upright again: EXIF says how the stored picture is turned.
    stored = {1: 0, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180}
    stored |= {6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE}
    photo = Image.fromarray(drawn()[..., :3])
    photo = photo.transpose(stored[tag]) if tag > 1 else photo
    photo.save(tmp_path / "photo.jpg", exif=exif, quality=95, subsampling=0)
    for corner, truth in zip(seen(tmp_path / "photo.jpg"), drawn()[[3, 3, -4, -4], [3, -4, 3, -4], :3], strict=True):
        assert np.abs(corner - truth).max() < 25


@pytest.mark.parametrize("ending", ["png", "webp", "gif"])
def test_what_is_transparent_is_white_and_shows_no_hidden_colour(tmp_path, ending):
    picture = drawn()
    picture[:, :50, 3] = 0
    Image.fromarray(picture).save(tmp_path / f"clear.{ending}", **({"lossless": True} if ending == "webp" else {}))
    above, green, below, white = seen(tmp_path / f"clear.{ending}")
    assert above.min() > 250 and below.min() > 250 and white.min() > 250
    assert np.abs(green - [0, 255, 0]).max() < 10


def test_grey_with_transparency_and_palettes_are_on_white_too(tmp_path):
    picture = drawn()
    picture[:, :50, 3] = 0
    Image.fromarray(picture).quantize(16).save(tmp_path / "palette.png")
    Image.fromarray(picture).convert("LA").save(tmp_path / "grey.png")
    for name in ("palette.png", "grey.png"):
        above, _, below, _ = seen(tmp_path / name)
        assert above.min() > 250 and below.min() > 250


def test_sound_whose_channels_cancel_is_heard(tmp_path):
    path = write_sounds(tmp_path / "anti.mkv", (np.stack([tone(), -tone()]), True))
    heard, rate_hz = read_sound(path)
    assert rate_hz == RATE_HZ
    assert np.abs(heard - tone()).max() < 1e-3


def test_stereo_is_its_mean_and_lies_within_full_scale(tmp_path):
    channels = np.stack([1.9 * tone(), 1.9 * tone()])
    heard, _ = read_sound(write_sounds(tmp_path / "loud.mkv", (channels, True)))
    assert np.abs(heard - channels.mean(axis=0)).max() < 1e-3


def test_ambisonic_sound_is_heard(tmp_path):
    channels = np.zeros((4, RATE_HZ), np.float32)
    channels[0] = tone()
    path = write_sounds(tmp_path / "round.ogg", (channels, True), codec="libopus", layout="ambisonic 1")
    write_video(tmp_path / "out.mp4", [BLACK], fps=10, track=read_track(path), height_px=32)
    for one in (path, tmp_path / "out.mp4"):
        heard, _ = read_sound(one)
        assert np.abs(heard).max() == pytest.approx(0.25, abs=0.03)
        assert np.abs(np.fft.rfft(heard)).argmax() * RATE_HZ / len(heard) == pytest.approx(440, abs=2)
    assert {one.name for one in tmp_path.iterdir()} == {"round.ogg", "out.mp4"}


def test_the_default_track_is_heard_and_is_the_one_in_the_video(tmp_path):
    low, high = (np.stack([tone(hz), tone(hz)]) for hz in (440, 3000))
    path = write_sounds(tmp_path / "two.mkv", (high, False), (low, True))
    write_video(tmp_path / "out.mp4", [BLACK], fps=10, track=read_track(path), height_px=32)
    for one in (path, tmp_path / "out.mp4"):
        heard, rate_hz = read_sound(one)
        assert np.abs(np.fft.rfft(heard)).argmax() * rate_hz / len(heard) == pytest.approx(440, abs=5)
