"""The synchrony score tells good windows from shifted and swapped ones, and names the offset."""

from dataclasses import replace

import numpy as np
import pytest

from curation.media.analyse import analyse
from curation.media.timeline import Timeline, Window
from curation.scores.sync import SyncScore, part_of_take
from training.world import SCENES, FilmSpec, draw, write_film

WINDOW_US = 3_000_000


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    """Two films of every scene, one of them shaky and noisy."""
    folder = tmp_path_factory.mktemp("films")
    made = []
    for number, scene in enumerate((*SCENES, *SCENES)):
        shaky = number >= len(SCENES)
        path = folder / f"{number}.mp4"
        spec = FilmSpec(
            scene=scene, seed=900 + number, duration_s=5.0, width_px=128, height_px=128,
            camera_shake_px=2.5 if shaky else 0.0, background_noise=0.015 if shaky else 0.002,
        )  # fmt: skip
        write_film(draw(spec), path)
        made.append(analyse(path))
    return made


def measure(line, first_us=1_000_000):
    start = int(line.frame_us[np.searchsorted(line.frame_us, first_us)])
    return SyncScore().score([Window(line, start, start + WINDOW_US)])[0]


def late(line, seconds):
    return replace(line, audio_start_us=line.audio_start_us + round(seconds * 1e6))


def silent_line(seconds):
    curves = [np.zeros(10 * seconds, np.float32)] * 3
    return Timeline(
        8, 8, seconds * 1_000_000, np.arange(10 * seconds) * 100_000, *curves, np.zeros(1, np.int64),
        np.zeros((1, 8, 8, 3), np.uint8), 0, 16_000, np.zeros(seconds * 16_000, np.float32),
    )  # fmt: skip


def swapped(lines, step):
    return [replace(line, waveform=lines[(k + step) % len(lines)].waveform) for k, line in enumerate(lines)]


def auc(good, bad):
    return float(np.mean(np.asarray(good)[:, None] > np.asarray(bad)[None]))


def test_good_windows_agree_at_no_offset(lines):
    found = [measure(line) for line in lines]
    assert min(one["p_in_sync"] for one in found) > 0.9 and min(one["sync_at_zero"] for one in found) > 3.5
    assert max(abs(one["offset_s"]) for one in found) < 1 / 24
    assert min(one["offset_confidence"] for one in found) > 0.9 and max(one["p_no_cues"] for one in found) < 0.05
    assert np.mean([abs(one["window_offset_s"]) < 0.06 for one in found]) >= 0.9
    assert all(1 <= one["cues"] <= 12 for one in found)


@pytest.mark.parametrize("seconds", [-0.5, -0.3, 0.3, 0.5, 0.8])
def test_names_the_offset_of_a_late_or_early_sound(lines, seconds):
    found = [measure(late(line, seconds)) for line in lines]
    errors = [abs(one["offset_s"] - seconds) for one in found]
    assert np.median(errors) < 0.03 and np.mean(np.array(errors) < 0.06) >= 0.9
    assert auc([measure(line)["p_in_sync"] for line in lines], [one["p_in_sync"] for one in found]) > 0.98


def test_swapped_sound_does_not_agree_at_no_offset(lines):
    good = [measure(line)["p_in_sync"] for line in lines]
    bad = [measure(line)["p_in_sync"] for step in (2, 5, 7) for line in swapped(lines, step)]
    assert auc(good, bad) > 0.98 and np.median(bad) < 0.4


def test_narration_is_not_taken_for_the_scene(tmp_path):
    write_film(draw(FilmSpec(scene="chopping_wood", seed=9, narration=True)), tmp_path / "voice.mp4")
    assert measure(analyse(tmp_path / "voice.mp4"))["p_in_sync"] < 0.5


@pytest.mark.parametrize("fields", [{"silent": True}, {"static": True}])
def test_nothing_heard_or_nothing_seen_is_no_synchrony(tmp_path, fields):
    write_film(draw(FilmSpec(scene="playing_drum", seed=9, **fields)), tmp_path / "film.mp4")
    found = measure(analyse(tmp_path / "film.mp4"))
    assert found["p_in_sync"] < 0.5 and found["p_no_cues"] > 0.2
    told = [value for name, value in found.items() if not name.startswith("where")]
    assert np.isfinite(told).all()


def synthetic(motion_s, clicks_s, *, rate_hz=16_000, fps=100):
    """A curve that moves in the frame that covers each of `motion_s`, and clicks at `clicks_s`."""
    frame_us = np.arange(3 * fps) * 1_000_000 // fps
    motion = np.zeros(len(frame_us), np.float32)
    motion[np.searchsorted(frame_us, np.asarray(motion_s) * 1e6)] = 1
    wave = np.zeros(3 * rate_hz, np.float32)
    for at in clicks_s:
        first = round(at * rate_hz)
        wave[first : first + 80] = 0.5 * np.random.default_rng(first).uniform(-1, 1, 80)
    still = np.zeros(len(frame_us), np.float32)
    thumbs = np.zeros((1, 8, 8, 3), np.uint8)
    cells = np.zeros((len(frame_us), 12, 12), np.uint8)
    moved = np.zeros(cells.shape, np.float16)
    moved[:, 8:10, 2:4] = motion[:, None, None]
    return Timeline(
        8, 8, 3_000_000, frame_us, still, motion, still, np.zeros(1, np.int64), thumbs, 0, rate_hz, wave,
        cells=cells, cell_motion=moved,
    )  # fmt: skip


@pytest.mark.parametrize("shift_s", [0.0, 0.125, -0.25])
def test_the_offset_of_clicks_and_jumps_is_right_within_a_frame(shift_s):
    times = np.array([0.6, 1.0, 1.7, 2.1])
    (found,) = SyncScore().score([Window(synthetic(times, times + shift_s), 0, 3_000_000)])
    # A click's loudness rises before its middle: less than a frame, and a blow that rings does not show it.
    assert found["offset_s"] == pytest.approx(shift_s, abs=0.03) and found["sync_peak"] > 3


def test_says_which_region_moves_with_the_sound():
    times = np.array([0.6, 1.0, 1.7, 2.1])
    (found,) = SyncScore().score([Window(synthetic(times, times), 0, 3_000_000)])
    left, top, side = (found[name] * 12 for name in ("where_x", "where_y", "where_side"))
    assert left <= 3 <= left + side and top <= 9 <= top + side and side in (pytest.approx(2), pytest.approx(4))


def test_a_window_is_judged_by_its_take(lines):
    """What is said of three seconds is what the shot around them says; what they say alone has a name of its own."""
    line = lines[0]
    first, last = (SyncScore().score([Window(line, at, at + WINDOW_US)])[0] for at in (0, 2_000_000))
    shared = {"p_in_sync", "offset_s", "offset_confidence", "where_x"}
    assert all(first[name] == last[name] for name in shared) and first["window_sync"] != last["window_sync"]


@pytest.mark.parametrize(
    ("take_us", "judged_us"),
    [
        ((30_000_000, 45_000_000), (30_000_000, 45_000_000)),
        ((20_000_000, 24_000_000), (17_000_000, 27_000_000)),
        ((0, 4_000_000), (0, 10_000_000)),
        ((46_000_000, 50_000_000), (40_000_000, 50_000_000)),
        (None, (0, 16_666_667)),
    ],
    ids=["long enough", "short", "short, at the beginning", "short, at the end", "no shots known"],
)
def test_a_short_take_is_judged_with_what_lies_around_it(take_us, judged_us):
    start_us = take_us[0] if take_us else 0
    assert part_of_take(Window(silent_line(50), start_us, start_us + WINDOW_US, take_us=take_us)) == judged_us


def test_a_long_take_is_judged_in_equal_parts():
    long = silent_line(50)
    spans = {part_of_take(Window(long, at, at + WINDOW_US)) for at in range(0, 47_000_000, 500_000)}
    assert sorted(spans) == [(0, 16_666_667), (16_666_667, 33_333_333), (33_333_333, 50_000_000)]


def test_real_sounds_with_pulsing_pictures_are_told_from_swapped_and_shifted_ones(corpus):
    files = sorted((corpus / "known").glob("*.mp4"))[::3]
    known = [line for line in map(analyse, files) if line.duration_us > 3_600_000]
    good = [measure(line, 500_000)["p_in_sync"] for line in known]
    assert auc(good, [measure(line, 500_000)["p_in_sync"] for line in swapped(known, 1)]) > 0.85
    assert auc(good, [measure(late(line, -0.4), 500_000)["p_in_sync"] for line in known]) > 0.95
