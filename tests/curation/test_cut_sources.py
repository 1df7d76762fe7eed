"""Sources that are not as simple as they look: cut like any other, to the frame and to the sample."""

import io
import struct
import subprocess

import av
import numpy as np
import pytest

from bench import flash
from curation.media.analyse import analyse
from curation.media.cut import cut
from shards.ffmpeg import ffmpeg_binary

X264 = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-bf", "3", "-g", "125")


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Flashes and clicks for eight seconds; H.264 with B-frames and GOPs of five seconds, FLAC, in Matroska."""
    return flash.make(flash.Film("libx264", "flac", "mkv"), tmp_path_factory.mktemp("film"))


@pytest.fixture(scope="module")
def colours(tmp_path_factory):
    """A test picture of 96x64 for one second, RGB without loss, and a tone."""
    path = tmp_path_factory.mktemp("colours") / "rgb.mkv"
    drawn = ["-f", "lavfi", "-i", "testsrc2=s=96x64:r=25:d=1", "-f", "lavfi", "-i", "sine=440:d=1"]
    return ffmpeg(*drawn, "-c:v", "libx264rgb", "-crf", "0", "-c:a", "flac", path)


def ffmpeg(*arguments):
    subprocess.run([ffmpeg_binary(), "-v", "error", "-y", *map(str, arguments)], check=True, timeout=60)
    return arguments[-1]


def added_ms(source, start_us, end_us):
    """The largest offset that a cut adds to an event, in its MP4 and in its FLAC."""
    before = flash.offsets_ms(flash.events(source))
    clip = cut(source, start_us=start_us, end_us=end_us)
    seen, heard = flash.events(clip.mp4), flash.events(clip.flac)
    added = []
    for after in (seen, seen.counted, flash.Events(seen.flashes_s, heard.clicks_s, seen.frames_s)):
        found = flash.offsets_ms(after)
        assert len(found) >= 2
        for at, offset in found.items():
            nearest = min(before, key=lambda one: abs(one - at - clip.first_frame_us / 1e6))
            added.append(abs(offset - before[nearest]))
    return max(added)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("open_gop.ts", (*X264, "-x264-params", "open-gop=1:keyint=50:scenecut=0", "-c:a", "aac")),
        ("fragments.mp4", (*X264, "-c:a", "aac", "-movflags", "frag_keyframe+empty_moov")),
        ("flash_video.flv", (*X264, "-c:a", "aac", "-ar", "44100")),
        ("later.ts", (*X264, "-c:a", "mp2", "-output_ts_offset", "1000")),
        ("six_channels.mp4", (*X264, "-c:a", "aac", "-ac", "6")),
        (
            "hidden_frames.webm",
            ("-c:v", "libvpx", "-auto-alt-ref", "1", "-lag-in-frames", "16", "-cpu-used", "5", "-c:a", "libopus"),
        ),
    ],
)
def test_a_container_of_any_kind_keeps_the_offset(film, tmp_path, name, options):
    source = ffmpeg("-i", film, *options, tmp_path / name)
    assert added_ms(source, 5_013_337, 7_500_000) <= 1


@pytest.mark.parametrize("ending", ["mkv", "ts"])
def test_sound_stored_seconds_ahead_of_its_picture_is_found(film, tmp_path, ending):
    source = sound_first(ffmpeg("-i", film, *X264, "-c:a", "aac", tmp_path / "film.mp4"), tmp_path / f"ahead.{ending}")
    clip = cut(source, start_us=5_000_000, end_us=7_000_000)
    assert clip.silent_us == 0
    assert added_ms(source, 5_000_000, 7_000_000) <= 1


def sound_first(source, path):
    """The same packets, the sound's five seconds earlier in the file."""
    with av.open(str(source)) as film, av.open(str(path), "w", options={"max_interleave_delta": "1"}) as out:
        copies = {one.type: out.add_stream_from_template(one) for one in film.streams}
        packets = [one for one in film.demux() if one.size]
        for packet in sorted(packets, key=lambda one: one.dts * one.time_base - 5 * (one.stream.type == "audio")):
            packet.stream = copies[packet.stream.type]
            out.mux_one(packet)
    return path


def test_a_picture_that_begins_later_than_the_sound_is_where_times_count_from(film, tmp_path):
    parts = ["-itsoffset", "0.7", "-i", film, "-i", film, "-map", "0:v", "-map", "1:a", "-c", "copy"]
    source = ffmpeg(*parts, tmp_path / "late.mkv")
    assert analyse(source).audio_start_us == pytest.approx(-700_000, abs=1_000)
    assert added_ms(source, 0, 3_000_000) <= 1


def test_silence_before_and_behind_the_source_s_own_sound_is_counted(film, tmp_path):
    sound = ["-af", "atrim=0:6,asetpts=PTS+0.5/TB", "-c:a", "flac"]
    source = ffmpeg("-i", film, "-c:v", "copy", *sound, tmp_path / "short.mkv")
    begin, middle, end = (cut(source, start_us=at, end_us=at + 2_000_000).silent_us for at in (0, 3_000_000, 6_000_000))
    assert begin == pytest.approx(500_000, abs=2_000)
    assert middle == 0
    assert end == pytest.approx(1_500_000, abs=100_000)


def test_pictures_whose_time_goes_back_are_passed_over_by_analysis_and_cut_alike(film, tmp_path):
    source = ffmpeg("-i", film, *X264[:6], "-bf", "2", "-c:a", "mp3", tmp_path / "no_times.avi")
    times = analyse(source).frame_us
    clip = cut(source, start_us=2_000_000, end_us=4_000_000)
    assert clip.frames == ((times >= 2_000_000) & (times < 4_000_000)).sum()


def test_a_plain_ffmpeg_hears_the_mp4_where_the_flac_has_it(film, tmp_path):
    clip = cut(film, start_us=1_013_337, end_us=3_000_000)
    (tmp_path / "clip.mp4").write_bytes(clip.mp4)
    wav = ffmpeg("-i", tmp_path / "clip.mp4", "-c:a", "pcm_s16le", tmp_path / "clip.wav")
    heard, exact = flash.events(wav.read_bytes()), flash.events(clip.flac)
    assert len(exact.clicks_s) >= 2
    assert heard.clicks_s.tolist() == pytest.approx(exact.clicks_s.tolist(), abs=1e-4)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("video_range.mp4", ("-c:v", "libx264", "-pix_fmt", "yuv420p")),
        ("full_range.mp4", ("-vf", "scale=out_range=full", "-c:v", "libx264", "-pix_fmt", "yuvj444p")),
        ("ten_bits.mp4", ("-c:v", "libsvtav1", "-pix_fmt", "yuv420p10le")),
        ("rgb.mp4", ("-c:v", "libx264rgb",)),
        ("bt709.mp4", ("-vf", "scale=out_color_matrix=bt709", "-colorspace", "bt709", "-c:v", "libx264")),
    ],
)  # fmt: skip
def test_colours_stay_what_they_are(colours, tmp_path, name, options):
    source = ffmpeg("-i", colours, *options, "-c:a", "aac", tmp_path / name)
    clip = cut(source, start_us=0, end_us=500_000)
    one, other = rgb(source), rgb(io.BytesIO(clip.mp4))
    assert np.abs(one.mean(axis=(0, 1)) - other.mean(axis=(0, 1))).max() < 3
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.95


def rgb(file):
    with av.open(str(file) if not isinstance(file, io.BytesIO) else file) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24").astype(float)


def test_the_matrix_of_rgb_sources_is_not_claimed_for_yuv(colours):
    clip = cut(colours, start_us=0, end_us=500_000)
    with av.open(io.BytesIO(clip.mp4)) as container:
        assert int(next(container.decode(video=0)).colorspace) == 6


@pytest.mark.parametrize(
    ("aspect", "size"),
    [("4/3", (128, 64)), ("1/2", (48, 64)), ("1", (96, 64)), ("1001/1000", (96, 64)), ("9", (96, 64))],
)
def test_pixels_become_square(colours, tmp_path, aspect, size):
    encoded = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "copy")
    source = ffmpeg("-i", colours, "-vf", f"setsar={aspect}", *encoded, tmp_path / "wide.mkv")
    clip = cut(source, start_us=0, end_us=500_000)
    assert (clip.width_px, clip.height_px) == size


@pytest.mark.parametrize(
    ("degrees", "matrix"), [(90, (0, 1, -1, 0)), (180, (-1, 0, 0, -1)), (270, (0, -1, 1, 0)), (0, (1, 0, 0, 1))]
)
def test_a_picture_is_turned_as_its_file_asks(colours, tmp_path, degrees, matrix):
    source = ffmpeg("-i", colours, "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", tmp_path / "film.mp4")
    turned = np.rot90(rgb(source), k=-degrees // 90)
    show_turned(source, matrix)
    seen = rgb(io.BytesIO(cut(source, start_us=0, end_us=500_000).mp4))
    assert seen.shape == turned.shape
    assert np.corrcoef(seen.ravel(), turned.ravel())[0, 1] > 0.95


def show_turned(film, matrix):
    """Write a, b, c, d of the first track's matrix (16.16, ISO 14496-12: x' = ax + cy, y' = bx + dy)."""
    data = film.read_bytes()
    plain, asked = (
        struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
        for a, b, c, d in ((1, 0, 0, 1), matrix)
    )
    track = data.index(b"tkhd")
    film.write_bytes(data[:track] + data[track:].replace(plain, asked, 1))
