"""The exact cut, checked by decoding what it made."""

import io

import av
import numpy as np
import pytest

from curation.media.analyse import analyse
from curation.media.cut import cut
from curation.media.failures import MediaFailure
from curation.media.settings import CutSettings
from training.world import FilmSpec, draw, write_film


@pytest.fixture(scope="module")
def drum():
    return draw(FilmSpec(scene="playing_drum", seed=5, duration_s=5.0, width_px=160, height_px=120))


@pytest.fixture(scope="module")
def aac_source(drum, tmp_path_factory):
    path = tmp_path_factory.mktemp("cut") / "film.mp4"
    write_film(drum, path)
    return path


@pytest.fixture(scope="module")
def source(drum, tmp_path_factory):
    """With uncompressed sound, whose samples do not depend on where decoding began."""
    return write_pcm(tmp_path_factory.mktemp("cut") / "film.mov", drum.frames, drum.audio)


def write_pcm(path, frames, audio, *, pix_fmt="yuv420p"):
    """24 fps H.264 with B-frames and one long group of pictures; 16-bit mono sound at 48 kHz."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=24, options={"bf": "3", "g": "60"})
        video.height, video.width = frames.shape[1:3]
        video.pix_fmt = pix_fmt
        sound = out.add_stream("pcm_s16le", rate=48_000, layout="mono")
        for pixels in frames:
            out.mux(video.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")))
        out.mux(video.encode(None))
        integers = np.round(audio * 32767).astype(np.int16)[None]
        for first in range(0, integers.shape[1], 4096):
            block = np.ascontiguousarray(integers[:, first : first + 4096])
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
            frame.rate, frame.pts = 48_000, first
            out.mux(sound.encode(frame))
        out.mux(sound.encode(None))
    return path


def frame_us(number):
    return round(number * 1e6 / 24)


def flac_samples(data):
    with av.open(io.BytesIO(data)) as container:
        return np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)[0]


def source_samples(path):
    with av.open(str(path)) as container:
        return np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)[0]


def lag_samples(one, other):
    size = 2 * max(len(one), len(other))
    lag = int(np.fft.irfft(np.fft.rfft(one, size) * np.conj(np.fft.rfft(other, size)), size).argmax())
    return lag if lag < size // 2 else lag - size


@pytest.mark.parametrize("first", [0, 7, 31, 60])
def test_frames_and_samples_are_those_of_the_span(source, first):
    made = cut(source, start_us=frame_us(first), end_us=frame_us(first) + 2_000_000)
    assert made.frames == 48 and made.first_frame_us == frame_us(first) and made.duration_us == 2_000_000
    at = round(frame_us(first) * 0.048)
    assert np.array_equal(flac_samples(made.flac), source_samples(source)[at : at + 96_000])


def test_decoding_the_clip_again_finds_picture_and_sound_within_a_millisecond(source, tmp_path):
    made = cut(source, start_us=frame_us(31), end_us=frame_us(31) + 2_000_000)
    (tmp_path / "clip.mp4").write_bytes(made.mp4)
    clip, whole = analyse(tmp_path / "clip.mp4"), analyse(source)
    assert clip.audio_start_us == 0
    assert np.abs(clip.frame_us - (whole.frame_us[31:79] - whole.frame_us[31])).max() <= 12  # the MP4 clock's tick
    assert clip.duration_us == pytest.approx(2_000_000, abs=1000)
    assert np.abs(clip.luma - whole.luma[31:79]).max() < 0.005
    with av.open(io.BytesIO(made.mp4)) as container:
        aac = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)[0]
    assert abs(lag_samples(aac, flac_samples(made.flac))) <= 1


def test_a_start_between_frames_moves_picture_and_sound_to_the_next_frame(source):
    between = cut(source, start_us=frame_us(7) - 20_000, end_us=frame_us(7) + 1_000_000)
    exact = cut(source, start_us=frame_us(7), end_us=frame_us(7) + 1_000_000)
    assert between.first_frame_us == frame_us(7)
    assert between.mp4 == exact.mp4 and between.flac == exact.flac


def test_two_calls_give_identical_bytes_without_names_or_dates(source):
    one, two = (cut(source, start_us=frame_us(12), end_us=frame_us(12) + 1_000_000) for _ in range(2))
    assert one == two
    assert b"Lavf" not in one.mp4 and b"Lavc" not in one.mp4 + one.flac
    assert one.mp4.index(b"moov") < one.mp4.index(b"mdat")


def test_settings_reach_the_encoder(source):
    span = {"start_us": 0, "end_us": 1_000_000}
    small = cut(source, **span, settings=CutSettings(crf=40))
    assert len(small.mp4) < len(cut(source, **span).mp4)


@pytest.mark.parametrize("offset_us", [500_000, -500_000])
def test_a_late_or_early_sound_is_mended_to_the_sample(source, offset_us):
    mended = cut(source, start_us=2_000_000, end_us=4_000_000, sound_offset_us=offset_us)
    at = round((2_000_000 + offset_us) * 0.048)
    assert np.array_equal(flac_samples(mended.flac), source_samples(source)[at : at + 96_000])


def test_silence_stands_where_the_source_has_no_sound(source):
    made = cut(source, start_us=0, end_us=1_000_000, sound_offset_us=-400_000)
    heard = flac_samples(made.flac)
    assert len(heard) == 48_000 and not heard[:19_200].any() and heard[19_200:].any()


def test_odd_sides_lose_their_last_line(tmp_path):
    frames = np.stack([np.full((47, 65, 3), 8 * k, np.uint8) for k in range(24)])
    path = write_pcm(tmp_path / "odd.mov", frames, np.zeros(48_000), pix_fmt="yuv444p")
    made = cut(path, start_us=0, end_us=500_000)
    assert (made.width_px, made.height_px, made.frames) == (64, 46, 12)


def test_a_clip_of_compressed_sound_begins_at_the_same_sample(aac_source):
    made = cut(aac_source, start_us=frame_us(31), end_us=frame_us(31) + 2_000_000)
    at = round(frame_us(31) * 0.048)
    assert lag_samples(flac_samples(made.flac), source_samples(aac_source)[at : at + 96_000]) == 0


def test_a_span_without_a_frame_fails_with_an_outcome(source):
    with pytest.raises(MediaFailure, match="no frame between"):
        cut(source, start_us=9_000_000, end_us=10_000_000)


def test_real_codecs_are_cut_to_the_sample(corpus, tmp_path):
    for name, start, length in (("sync.webm", 180, 3), ("VID_0001.ogg", 150, 3), ("bear-av1-opus.mp4", 0, 2)):
        whole = analyse(corpus / "real" / name)
        at_us = int(whole.frame_us[start])
        made = cut(corpus / "real" / name, start_us=at_us, end_us=at_us + length * 1_000_000)
        (tmp_path / "clip.mp4").write_bytes(made.mp4)
        clip = analyse(tmp_path / "clip.mp4")
        first = round((at_us - whole.audio_start_us) * 0.016)
        lead = max(-first, 0)
        heard, truth = clip.waveform[lead:], whole.waveform[max(first, 0) :][: length * 16_000 - lead]
        assert lag_samples(heard, truth) == 0, name
        assert np.corrcoef(heard[: len(truth)], truth[: len(heard)])[0, 1] > 0.99, name
