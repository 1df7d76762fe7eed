"""One pass over real files: exact times, honest curves, and a typed outcome for every file that cannot be used."""

from fractions import Fraction

import av
import numpy as np
import pytest

from curation.media.analyse import analyse
from curation.media.container import sniff
from curation.media.failures import MediaFailure
from curation.media.settings import AnalysisSettings
from curation.media.timeline import Window
from curation.outcomes import Outcome
from training.world import FilmSpec, draw, write_film

SPEC = FilmSpec(scene="hammering_anvil", seed=3, duration_s=4.0, width_px=160, height_px=120)


@pytest.fixture(scope="module")
def anvil():
    return draw(SPEC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("media")


@pytest.fixture(scope="module")
def mp4(anvil, folder):
    write_film(anvil, folder / "film.mp4")
    return folder / "film.mp4"


def remux(source, target, *, video_until_s=None, video_from_s=0.0):
    """Copy packets into another container, optionally leaving out pictures."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        streams = {stream.index: new.add_stream_from_template(stream) for stream in old.streams}
        for packet in old.demux():
            if packet.dts is None:
                continue
            at_s = float(packet.pts * packet.time_base)
            if packet.stream.type == "video" and not video_from_s <= at_s < (video_until_s or 1e9):
                continue
            packet.stream = streams[packet.stream.index]
            new.mux(packet)
    return target


def write_frames(path, times_s, *, size=(64, 48), audio=None, rate=48_000, codec="libx264", pix_fmt="yuv420p"):
    """A file whose frames lie at `times_s`; frame k has brightness 20 + 5k."""
    with av.open(str(path), "w") as out:
        video = out.add_stream(codec, rate=25)
        video.width, video.height, video.pix_fmt = size[0], size[1], pix_fmt
        video.codec_context.time_base = video.time_base = Fraction(1, 1000)
        sound = out.add_stream("flac" if str(path).endswith(".mkv") else "aac", rate=rate, layout="stereo")
        for k, at in enumerate(times_s):
            grey = np.full((size[1], size[0], 3), 20 + 5 * k, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
            frame.pts, frame.time_base = round(at * 1000), video.codec_context.time_base
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        samples = np.zeros((2, rate * 2), np.float32) if audio is None else audio
        fmt = sound.codec_context.format.name
        resampler = av.AudioResampler(format=fmt, layout="stereo", rate=rate, frame_size=1024)
        block = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
        block.rate, block.pts = rate, 0
        for piece in [*resampler.resample(block), *resampler.resample(None)]:
            out.mux(sound.encode(piece))
        out.mux(sound.encode(None))
    return path


def outcome_of(path, **settings):
    with pytest.raises(MediaFailure) as caught:
        analyse(path, settings=AnalysisSettings(**settings))
    assert caught.value.remedy
    return caught.value.outcome


def test_times_counts_and_curves_are_those_of_the_film(anvil, mp4):
    line = analyse(mp4, settings=AnalysisSettings(thumb_hz=10))
    assert (line.width_px, line.height_px) == (160, 120)
    assert line.frame_us.tolist() == [round(k * 1e6 / 24) for k in range(96)]
    assert line.duration_us == pytest.approx(4_000_000, abs=2)
    assert line.motion[0] == 0 and line.colour_change[0] == 0
    grey = anvil.frames.astype(np.float64) @ [0.299, 0.587, 0.114] / 255
    truth = np.abs(np.diff(grey, axis=0)).mean(axis=(1, 2))
    assert np.corrcoef(truth, line.motion[1:])[0, 1] > 0.97
    assert line.thumbs.shape == (40, 112, 150, 3)
    assert np.abs(np.diff(line.thumb_us) - 100_000).max() <= 41_667
    first = anvil.frames[0, ::, ::].mean(axis=(0, 1))
    assert np.abs(line.thumbs[0].mean(axis=(0, 1)) - first).max() < 4


def test_sound_lies_on_the_pictures_clock_to_the_sample(anvil, mp4):
    line = analyse(mp4)
    assert line.audio_start_us == 0 and line.rate_hz == 16_000
    heard = Window(line, 0, 4_000_000).sound()
    truth = anvil.audio.reshape(-1, 3).mean(axis=1)
    spectrum = np.fft.rfft(heard, 2 * len(heard)) * np.conj(np.fft.rfft(truth, 2 * len(truth)))
    assert int(np.fft.irfft(spectrum).argmax()) == 0


@pytest.mark.parametrize("suffix", [".mkv", ".ts", ".mov", ".flv"])
def test_every_container_gives_the_same_picture_at_the_same_times(mp4, folder, suffix):
    original, copy = analyse(mp4), analyse(remux(mp4, folder / f"copy{suffix}"))
    # Matroska and FLV count in milliseconds.
    assert np.abs(copy.frame_us - original.frame_us).max() <= 1000
    assert np.array_equal(copy.motion, original.motion)
    offset_us = copy.audio_start_us - original.audio_start_us
    assert abs(offset_us) <= 1000 or abs(offset_us + 1024 / 48_000 * 1e6) <= 1500  # no edit list, so priming is kept


def test_keeps_uneven_frame_times_and_starts_them_at_zero(folder):
    times = [0.5, 0.54, 0.7, 0.71, 1.2, 1.9]
    line = analyse(write_frames(folder / "uneven.mkv", times), settings=AnalysisSettings(thumb_hz=10))
    assert line.frame_us.tolist() == [round((at - 0.5) * 1e6) for at in times]
    assert line.audio_start_us == pytest.approx(-500_000, abs=1000)
    assert np.all(np.diff(line.luma) > 0)
    assert line.thumb_us.tolist() == [0, 200_000, 700_000, 1_400_000]


def test_mixing_to_mono_does_not_make_the_sound_louder(folder):
    tone = 0.6 * np.sin(2 * np.pi * 440 * np.arange(96_000) / 48_000).astype(np.float32)
    line = analyse(write_frames(folder / "tone.mkv", [0, 0.5, 1.0, 1.9], audio=np.stack([tone, tone])))
    assert np.abs(line.waveform).max() == pytest.approx(0.6, abs=0.01)


def test_ten_bit_pictures_have_the_same_brightness(folder):
    eight = analyse(write_frames(folder / "eight.mkv", [0, 0.04, 0.08]))
    ten = analyse(write_frames(folder / "ten.mkv", [0, 0.04, 0.08], pix_fmt="yuv420p10le"))
    assert np.abs(eight.luma - ten.luma).max() < 0.01


def test_sound_that_outlasts_the_picture_is_no_truncation(mp4, folder):
    line = analyse(remux(mp4, folder / "long-sound.mkv", video_until_s=2.0))
    assert line.duration_us == pytest.approx(2_000_000, abs=2000)
    assert len(line.waveform) / line.rate_hz == pytest.approx(4.0, abs=0.05)


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95, 0.999])
def test_a_file_that_ends_before_its_index_says_is_truncated(mp4, folder, kept):
    data = mp4.read_bytes()
    cut = folder / f"cut-{kept}.mp4"
    cut.write_bytes(data[: int(len(data) * kept)])
    assert outcome_of(cut) is Outcome.TRUNCATED


def test_a_truncated_matroska_file_is_truncated(mp4, folder):
    whole = remux(mp4, folder / "whole.mkv").read_bytes()
    (folder / "half.mkv").write_bytes(whole[: len(whole) // 2])
    assert outcome_of(folder / "half.mkv") is Outcome.TRUNCATED


def test_an_mp4_whose_index_never_came_is_truncated(anvil, folder):
    with av.open(str(folder / "end.mp4"), "w") as out:
        video = out.add_stream("libx264", rate=24)
        video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
        for pixels in anvil.frames:
            out.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        out.mux(video.encode(None))
    data = (folder / "end.mp4").read_bytes()
    (folder / "no-index.mp4").write_bytes(data[: data.rfind(b"moov") - 4])
    assert outcome_of(folder / "no-index.mp4") is Outcome.TRUNCATED


@pytest.mark.parametrize(
    ("name", "data", "outcome"),
    [
        ("empty.mp4", b"", Outcome.EMPTY_FILE),
        ("page.mp4", b"<!DOCTYPE html><title>Sign in</title>" * 30, Outcome.NOT_A_VIDEO),
        ("list.mp4", b"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:9,\nfile:///etc/passwd\n", Outcome.NOT_A_VIDEO),
        ("concat.mp4", b"ffconcat version 1.0\nfile /etc/passwd\n", Outcome.NOT_A_VIDEO),
        ("dash.mp4", b"<?xml version='1.0'?><MPD></MPD>", Outcome.NOT_A_VIDEO),
        ("noise.mp4", bytes(range(256)) * 20, Outcome.NOT_A_VIDEO),
    ],
)
def test_what_is_no_video_is_never_opened_as_one(folder, name, data, outcome):
    (folder / name).write_bytes(data)
    assert outcome_of(folder / name) is outcome


def test_missing_tracks_and_missing_files_have_their_own_outcomes(anvil, folder):
    write_film(anvil, folder / "mute.mp4", sound=False)
    write_film(anvil, folder / "blind.mp4", picture=False)
    assert outcome_of(folder / "mute.mp4") is Outcome.NO_AUDIO
    assert outcome_of(folder / "blind.mp4") is Outcome.NO_VIDEO
    assert outcome_of(folder / "nowhere.mp4") is Outcome.FILE_MISSING


def test_too_many_pixels_and_too_long_are_refused(mp4):
    assert outcome_of(mp4, max_pixels=160 * 120 - 1) is Outcome.TOO_LARGE
    assert outcome_of(mp4, max_duration_s=3.5) is Outcome.TOO_LARGE


def test_a_playlist_is_known_by_no_demuxer():
    assert sniff(b"#EXTM3U\n" + bytes(400)) is None
    assert sniff(b"\x00\x00\x00\x20ftypisom") == "mov"


def test_real_files_end_as_their_content_says(corpus):
    found = {}
    for path in sorted((corpus / "real").iterdir()):
        if path.name.startswith("sintel"):
            continue  # the shot test decodes it
        try:
            found[path.name] = len(analyse(path).frame_us)
        except MediaFailure as failure:
            found[path.name] = failure.outcome
    assert found == {
        "VID_0001.ogg": 600,
        "bear-av1-opus.mp4": 82,
        "bigbuckbunny.mp4": 132,
        "bikes.mp4": Outcome.NO_AUDIO,
        "silentAudioTrack.webm": 17,
        "sync.webm": 1503,
        "vp9cake.webm": 240,
    }


def test_thumbnails_cost_nothing_where_no_score_wants_them(mp4):
    line = analyse(mp4, thumbnails=False)
    assert line.thumbs.shape[0] == len(line.thumb_us) == 0
    assert len(line.stills) == 16


def test_a_long_video_gets_fewer_thumbnails_a_second_and_still_covers_all_of_it(mp4, monkeypatch):
    monkeypatch.setattr("curation.media.analyse.MAX_THUMBNAILS", 8)
    line = analyse(mp4, settings=AnalysisSettings(thumb_hz=10))
    assert len(line.thumbs) == len(line.thumb_us) < 8
    assert line.thumb_us[0] == 0
    assert line.thumb_us[-1] > 3_000_000
    assert np.ptp(np.diff(line.thumb_us)) <= 84_000


def test_motion_is_followed_cell_by_cell(mp4):
    """All cells together move as the picture does; a blow moves some cells and leaves others still."""
    line = analyse(mp4, thumbnails=False)
    assert line.cell_motion.shape == line.cells.shape == (len(line.frame_us), 12, 12)
    # 120 lines in 12 rows, 160 columns in 12: cells are of unequal width by a pixel.
    np.testing.assert_allclose(line.cell_motion.astype(float).mean(axis=(1, 2)), line.motion, atol=2e-3)
    assert not line.cell_motion[0].any()
    strongest = line.cell_motion[line.motion.argmax()]
    assert strongest.max() > 5 * np.median(strongest)
