"""Films with the broken clocks of other people's files: each picture under its own sound, or it is told."""

import io
import subprocess
import sys

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bench.timing import examine
from bench.timing_films import STEP_MS, Faults, drawn, read, write
from curation.media.analyse import analyse
from curation.media.cut import cut
from curation.media.failures import MediaFailure
from curation.media.look import look
from curation.media.missing import Missing
from curation.media.recheck import recheck
from curation.media.settings import AnalysisSettings
from curation.media.shots import find_shots
from curation.media.timeline import Window
from curation.outcomes import Outcome
from curation.scores.missing import MissingScore
from shards.ffmpeg import ffmpeg_binary
from shards.schema import Record


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("odd")


# Always the same films: `clapboard bench timing` looks at thousands of others.
@given(seed=st.integers(0, 1_000_000))
@example(seed=816_375)
@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_frame_is_under_its_own_sound_or_it_is_told(folder, seed):
    found = examine(drawn(seed), folder / "film.mkv")
    assert not found.wrong
    assert found.outcome in (Outcome.OK, Outcome.BROKEN_CLOCK, Outcome.TOO_LARGE)


def whole(faults, folder):
    """The analysis of a film, and all of it as a clip."""
    path = write(faults, folder / "film.mkv")
    line = analyse(path, thumbnails=False)
    return line, cut(path, start_us=0, end_us=line.duration_us)


@pytest.mark.parametrize("codec", ["mjpeg", "libvpx", "libx264"])
def test_recordings_that_were_joined_follow_each_other_and_are_cut_there(folder, codec):
    line, clip = whole(Faults(codec=codec, parts_ms=(1_400, 0, 500)), folder)
    assert len(line.frame_us) == clip.frames == 100 and set(np.diff(line.frame_us)) == {STEP_MS * 1000}
    assert line.frame_us[line.seams].tolist() == [1_000_000, 3_000_000]
    assert {1_000_000, 3_000_000} <= {end for _, end in find_shots(line)}
    assert read(clip).apart_ms.max() <= 0.5 and clip.silent_us == 0


@pytest.mark.parametrize(
    ("faults", "seams_us"),
    [
        (Faults(parts_ms=(-864, 0, 0)), {1_000_000, 3_000_000}),  # three pictures of the first have stamps
        (Faults(parts_ms=(-899, 0, 0), codec="libvpx"), {1_000_000, 3_000_000}),  # two
        (Faults(parts_ms=(-822, 0, 17, 0)), {1_000_000, 2_000_000, 3_000_000}),  # stamps of parts lie between others'
        (Faults(parts_ms=(0, 0, 0, 0), lost="both", hole=(11, 22)), {440_000, 1_120_000, 2_120_000}),
    ],
)
def test_parts_that_go_back_by_little_are_parts(folder, faults, seams_us):
    line, clip = whole(faults, folder)
    assert set(line.frame_us[line.seams]) == seams_us
    assert clip.frames == len(line.frame_us) and read(clip).apart_ms.max() <= 0.5


def test_a_look_into_the_second_recording_sees_it(folder):
    path = write(Faults(parts_ms=(0, 0)), folder / "film.mkv")
    view = {"hz": 25, "short_px": 32, "side_px": 32}
    images = look(path, start_us=2_000_000, end_us=3_000_000, **view).images
    plain = look(write(Faults(), folder / "plain.mkv"), start_us=2_000_000, end_us=3_000_000, **view).images
    assert np.array_equal(images, plain)


def test_a_sound_whose_clock_alone_begins_anew_is_refused(folder):
    with pytest.raises(MediaFailure) as caught:
        analyse(write(Faults(alone_ms=1_500), folder / "film.mkv"))
    assert caught.value.outcome is Outcome.BROKEN_CLOCK


def test_a_wobble_leaves_the_samples_continuous_and_is_told(folder):
    line, clip = whole(Faults(wobble_ms=60), folder)
    assert not len(line.sound_holes_us) and 40_000 < clip.wobble_us < 65_000
    with av.open(io.BytesIO(clip.flac)) as container:
        wave = np.concatenate([frame.to_ndarray().ravel() for frame in container.decode(audio=0)]).astype(int)
    assert set(np.diff(wave[wave != 0])) == {1}


def test_many_holes_take_no_more_memory_than_none():
    """A resampler for each would take 16 MiB of address space."""
    script = (
        "import re, av, numpy as np\n"
        "from fractions import Fraction\n"
        "from curation.media.waveform import WaveformBuilder\n"
        "builder = WaveformBuilder(rate_hz=16_000)\n"
        "def peak(): return int(re.search(r'VmPeak:\\s+(\\d+)', open('/proc/self/status').read())[1])\n"
        "def feed(first, last):\n"
        "    for number in range(first, last):\n"
        "        frame = av.AudioFrame.from_ndarray(np.ones((1, 960), np.int16), format='s16', layout='mono')\n"
        "        frame.sample_rate, frame.time_base = 48_000, Fraction(1, 48_000)\n"
        "        frame.pts = number // 10 * 48_000 + number * 960\n"
        "        builder.add(frame)\n"
        "feed(0, 100); before = peak(); feed(100, 3000); print(peak() - before, len(builder.finish().heard))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    grown_kib, stretches = map(int, done.stdout.split())
    assert stretches == 300 and grown_kib < 64 * 1024


@pytest.mark.parametrize(("lost", "silent_us", "frozen_us"), [("both", 800_000, 800_000), ("sound", 800_000, 0)])
def test_what_is_lost_is_measured_told_and_scored(folder, lost, silent_us, frozen_us):
    line, clip = whole(Faults(lost=lost, hole=(40, 20)), folder)
    assert (clip.silent_us, clip.frozen_us) == (silent_us, frozen_us)
    around, far = MissingScore().score([Window(line, 1_000_000, 3_000_000), Window(line, 0, 1_000_000)])
    assert around == {"missing_sound_s": 0.8, "frozen_s": frozen_us / 1e6, "smeared_s": 0.0}
    assert set(far.values()) == {0.0}


def test_verify_finds_what_a_record_does_not_tell(folder):
    _, clip = whole(Faults(lost="both", hole=(40, 20)), folder)
    facts = {
        "frames": clip.frames,
        "width_px": 64,
        "height_px": 32,
        "rate_hz": 8_000,
        "start_us": 0,
        "end_us": 4_000_000,
    }
    told = {"silent_us": clip.silent_us, "frozen_us": clip.frozen_us}
    assert recheck(Record("k", clip.mp4, clip.flac, facts | {"lineage": told})) == []
    (untold,) = recheck(Record("k", clip.mp4, clip.flac, facts | {"lineage": {}}))
    assert "stands still for 0.80 s" in untold
    (wrong,) = recheck(Record("k", clip.mp4, clip.flac, facts | {"lineage": told | {"silent_us": 2_000_000}}))
    assert "tells of 2.00 s without sound" in wrong


@pytest.mark.parametrize(("codec", "smeared_us"), [("libvpx", 400_000), ("libx264", 880_000)])
def test_pictures_that_lean_on_lost_ones_are_smeared(folder, codec, smeared_us):
    line, clip = whole(Faults(codec=codec, lost="both", hole=(30, 10)), folder)
    # From 1.6 s until the keyframe of 2 s; of B-frames, the two before the hole as well; one stands through it.
    assert clip.smeared_us == smeared_us
    (found,) = MissingScore().score([Window(line, 1_000_000, 3_000_000)])
    assert found["smeared_s"] == clip.smeared_us / 1e6


@pytest.mark.parametrize("count", [7, 17, 23])
def test_pictures_that_lean_on_a_first_one_that_no_decoder_gives_are_smeared(folder, count):
    line, clip = whole(Faults(codec="libx264", lost="both", hole=(1, count)), folder)
    seen = read(clip).seen_ms
    foreign = seen[line.smeared == 0] - line.frame_us[line.smeared == 0] / 1000
    assert line.smeared.any() and len(set(foreign)) == 1 and clip.smeared_us


def test_pictures_before_a_hole_that_lean_on_what_is_lost_are_smeared(folder):
    """They are decoded behind a keyframe, and shown before the first that is lost."""
    line, clip = whole(Faults(codec="libx264", lost="picture", hole=(28, 13)), folder)
    assert line.frame_us[line.smeared].tolist() == [1_040_000, 1_080_000] and clip.smeared_us >= 2 * STEP_MS * 1000


@pytest.mark.parametrize("codec", ["mjpeg", "libx264"])
def test_a_stamp_that_is_an_hour_off_loses_nothing(folder, codec):
    """Where pictures are not decoded in the order of their stamps, libav makes up an order in which none is astray."""
    line, clip = whole(Faults(codec=codec, stray=70), folder)
    assert clip.frames == len(line.frame_us) == 100 and line.duration_us == 4_000_000
    assert read(clip).apart_ms.max() <= 0.5


def test_pictures_in_wrong_places_are_put_in_order(folder):
    line, clip = whole(Faults(swapped=(8, 20, 80)), folder)
    assert len(line.frame_us) == 100 and (np.diff(read(clip).seen_ms) == STEP_MS).all()


def test_first_pictures_without_a_stamp_count_from_the_first(folder):
    line, clip = whole(Faults(codec="libx264", parts_ms=(-900,)), folder)
    assert len(line.frame_us) == clip.frames == 100 and read(clip).apart_ms.max() <= 1


@pytest.mark.parametrize("fps_told", [1, 1000])
@pytest.mark.parametrize("duration_told", [0.1, 20_000.0])
def test_a_header_that_lies_about_rate_and_length_changes_nothing(folder, fps_told, duration_told):
    line, clip = whole(Faults(fps_told=fps_told, duration_told=duration_told), folder)
    honest, plain = whole(Faults(), folder)
    assert line.duration_us == honest.duration_us == 4_000_000
    assert (clip.mp4, clip.flac) == (plain.mp4, plain.flac)


@pytest.mark.parametrize("codec", ["libvpx", "libx264"])
def test_a_header_that_lies_about_size_changes_nothing(folder, codec):
    line, clip = whole(Faults(codec=codec, size_told=8_192), folder)
    assert (line.width_px, line.height_px) == (clip.width_px, clip.height_px) == (64, 32)
    assert clip.frames == 100


@pytest.mark.parametrize("codec", ["libvpx", "libx264"])
@pytest.mark.parametrize("size_told", [0, 8_192])
def test_pictures_that_are_too_large_are_refused_whatever_the_header_says(folder, codec, size_told):
    with pytest.raises(MediaFailure) as caught:
        analyse(
            write(Faults(codec=codec, size_told=size_told), folder / "film.mkv"),
            settings=AnalysisSettings(max_pixels=2_000),
        )
    assert caught.value.outcome is Outcome.TOO_LARGE and "max_pixels" in caught.value.detail


def test_limits_hold_for_what_is_measured(folder):
    path = write(Faults(fps_told=1, duration_told=0.1), folder / "film.mkv")
    for limit in ({"max_fps": 24}, {"max_duration_s": 3.5}):
        with pytest.raises(MediaFailure) as caught:
            analyse(path, settings=AnalysisSettings(**limit))
        assert caught.value.outcome is Outcome.TOO_LARGE and next(iter(limit)) in caught.value.detail


# --- other containers


def film(path, *, tone_hz, seconds=3, options=(), codec="libx264"):
    """Pictures of a sliding bar under a tone, by the bundled ffmpeg."""
    drawn_bar = f"color=gray:s=64x48:r=25:d={seconds},drawbox=x=20*t:y=0:w=8:h=48:color=white:t=fill"
    tone = f"sine={tone_hz}:r=48000:d={seconds}"
    command = ["-f", "lavfi", "-i", drawn_bar, "-f", "lavfi", "-i", tone, "-c:v", codec, *options]
    subprocess.run([ffmpeg_binary(), "-v", "error", "-y", *command, path], check=True, timeout=60)
    return path


def tones_hz(clip):
    """The loudest tone of each 40 ms of a clip."""
    with av.open(io.BytesIO(clip.flac)) as container:
        wave = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    blocks = wave[: len(wave) // 1920 * 1920].reshape(-1, 1920) * np.hanning(1920)
    return np.abs(np.fft.rfft(blocks, axis=1)).argmax(axis=1) * 25


def test_joined_transport_streams_have_no_foreign_sound(tmp_path):
    parts = [film(tmp_path / f"{hz}.ts", tone_hz=hz, options=("-bf", "2", "-c:a", "aac")) for hz in (500, 2000)]
    both = tmp_path / "both.ts"
    both.write_bytes(b"".join(part.read_bytes() for part in parts))
    line = analyse(both, thumbnails=False)
    assert len(line.frame_us) == 150 and line.seams.tolist() == [75]
    first = cut(both, start_us=2_000_000, end_us=3_000_000)
    second = cut(both, start_us=3_000_000, end_us=4_000_000)
    assert first.frames == second.frames == 25
    assert set(tones_hz(first)) == {500} and set(tones_hz(second)) == {2000}


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("libx264", ("-bf", "0")),
        ("libx264", ("-bf", "2", "-x264-params", "b-adapt=0:b-pyramid=none")),
        ("libx264", ("-bf", "3", "-x264-params", "b-adapt=0")),
        ("mpeg4", ("-bf", "2")),
    ],
)
def test_an_avi_file_shows_its_pictures_as_players_do_and_keeps_all(tmp_path, codec, options):
    path = film(tmp_path / "film.avi", tone_hz=500, options=(*options, "-c:a", "libmp3lame"), codec=codec)
    line = analyse(path, thumbnails=False)
    command = [ffmpeg_binary(), "-v", "error", "-i", path, "-map", "0:v", "-fps_mode", "passthrough"]
    played = subprocess.run([*command, "-f", "framecrc", "-"], capture_output=True, text=True, check=True, timeout=60)
    ticks = [int(one.split(",")[2]) for one in played.stdout.splitlines() if not one.startswith("#")]
    assert len(ticks) == 75 and (line.frame_us - line.audio_start_us).tolist() == [40_000 * tick for tick in ticks]
    bars = shown(cut(path, start_us=0, end_us=line.duration_us))
    assert len(bars) == 75 and (np.diff(bars) >= 0).all()
    # What is looked for in the file, not counted from its beginning, is the same.
    late = shown(cut(path, start_us=int(line.frame_us[50]), end_us=line.duration_us))
    assert len(late) == 25 and np.abs(np.array(late) - bars[50:]).max() <= 1


def shown(clip):
    """Where the bar stands in each picture."""
    with av.open(io.BytesIO(clip.mp4)) as container:
        return [frame.to_ndarray(format="gray")[24].argmax() for frame in container.decode(video=0)]


@pytest.mark.parametrize("jitter_us", [0, 400, 15_000])
def test_how_uneven_pictures_are_is_told_unless_it_is_rounding(jitter_us):
    seen, chance = Missing(40_000), np.random.default_rng(0)
    off_us = chance.integers(-jitter_us, jitter_us, 75, endpoint=True)
    for number in range(75):
        seen.add(number * 40_000 + int(off_us[number]), smeared=False)
    assert abs(seen.jitter_us() - (jitter_us if jitter_us > 1_000 else 0)) < 1_500


def test_a_rate_that_varies_is_no_jitter():
    seen = Missing(40_000)
    for number in range(75):
        seen.add(number * 40_000 + max(0, number - 40) * 40_000, smeared=False)
    assert seen.jitter_us() == 0
