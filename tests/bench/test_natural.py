"""The benchmark on film: its split is fixed, its twins are files that are wrong by what they say, its table adds up."""

from argparse import Namespace
from dataclasses import replace

import numpy as np
import pytest

from bench.natural import corpus, running
from bench.natural.baseline import heard, moves, naive
from bench.natural.corpus import Camera, Filmed, Side, Truth, donor, natural_clips, side_of
from bench.natural.measure import MISPLACED, Job, late_by_s, measure, with_sound_of
from bench.natural.table import Table
from bench.natural.twins import FROZEN, MUSIC, NARRATED, RIGHT, SHIFTS_S, SWAPPED, Twin, made, twins_of
from curation.media.analyse import analyse
from shards.errors import BadInput
from training.world import FilmSpec, draw, write_film


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Drawn films as a corpus of four repositories, one of each kind that lends a sound."""
    folder = tmp_path_factory.mktemp("drawn")
    drawn = [
        ("hammering_anvil", 1, Truth.ACTION, "a/one"),
        ("bouncing_ball", 2, Truth.ACTION, "b/two"),
        ("hammering_anvil", 3, Truth.SPEECH, "c/three"),
        ("bouncing_ball", 4, Truth.MUSIC_OVER, "d/four"),
    ]
    found = []
    for scene, seed, truth, repository in drawn:
        path = folder / f"{repository[0]}.mp4"
        write_film(draw(FilmSpec(scene=scene, seed=seed, duration_s=4.0, width_px=96, height_px=96)), path)
        found.append(Filmed(path, f"{scene} {seed}", truth, Camera.STATIC, repository))
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("twins")


def test_the_split_is_fixed_and_by_repository():
    known = {"v-iashin/SpecVQGAN": Side.TEST, "y-ren16/STAV2A": Side.TUNE, "finmickey/CAFA": Side.TEST}
    assert {name: side_of(name) for name in known} == known


def test_a_clip_is_on_its_repositorys_side(tmp_path, monkeypatch):
    rows = "file,what,truth,camera,source,note\n" + "".join(
        f"{name}.mp4,,speech,moving (pan),v-iashin/SpecVQGAN data/{name}.mp4,seen\n" for name in "ab"
    )
    (tmp_path / "natural").mkdir()
    (tmp_path / "natural" / "corpus.csv").write_text(rows)
    monkeypatch.setenv("CLAPBOARD_CORPUS", str(tmp_path))
    found = natural_clips()
    assert [one.name for one in found] == ["a.mp4", "b.mp4"]
    assert {(one.side, one.camera, one.shows) for one in found} == {(Side.TEST, Camera.MOVING, "seen")}


def test_without_the_corpus_it_says_what_to_do(monkeypatch):
    monkeypatch.setattr(corpus, "corpus", lambda: None)
    with pytest.raises(BadInput) as error:
        natural_clips()
    assert "CLAPBOARD_CORPUS" in error.value.remedy


def test_a_borrowed_sound_is_another_repositorys_and_shows_something_else(clips):
    lender = donor(clips[0], clips, part=SWAPPED, truths=(Truth.ACTION, Truth.SPEECH))
    assert lender.repository != clips[0].repository and lender.shows != clips[0].shows
    assert lender == donor(clips[0], clips[::-1], part=SWAPPED, truths=(Truth.ACTION, Truth.SPEECH))


@pytest.mark.parametrize("kind", SHIFTS_S)
def test_a_moved_twin_has_its_sound_just_so_much_later(clips, folder, kind):
    path = made(Twin(kind, clips[0]), folder)
    right, twin = analyse(clips[0].path), analyse(path)
    assert np.array_equal(twin.frame_us, right.frame_us) and np.array_equal(twin.motion, right.motion)
    assert abs(late_by_s(right, twin) - SHIFTS_S[kind]) <= 0.001
    assert np.array_equal(with_sound_of(right, path).waveform, twin.waveform)
    assert with_sound_of(right, path).audio_start_us == twin.audio_start_us


def test_the_sound_of_a_late_twin_ends_with_its_picture(clips, folder):
    line = analyse(made(Twin("late 1 s", clips[0]), folder))
    assert line.audio_start_us + len(line.waveform) / line.rate_hz * 1e6 <= line.duration_us + 50_000


def test_a_swapped_twin_has_the_others_sound_until_its_picture_ends(clips, folder):
    short = clips[1]
    twin = analyse(made(Twin(SWAPPED, clips[0], short), folder))
    assert late_by_s(analyse(short.path), twin) == pytest.approx(0, abs=0.03)
    assert len(twin.waveform) / twin.rate_hz == pytest.approx(4.0, abs=0.05)


@pytest.mark.parametrize("kind", [NARRATED, MUSIC])
def test_a_twin_with_something_laid_over_keeps_its_own_sound_beneath(clips, folder, kind):
    right = analyse(clips[0].path)
    twin = analyse(made(Twin(kind, clips[0], clips[2]), folder))
    assert np.array_equal(twin.motion, right.motion)
    # What lies over it is 12 dB louder; with that taken out, the own sound is where it was.
    over = analyse(clips[2].path).waveform
    size = min(len(over), len(twin.waveform), len(right.waveform))
    gain = np.dot(twin.waveform[:size], over[:size]) / np.dot(over[:size], over[:size])
    beneath = replace(twin, waveform=twin.waveform[:size] - np.float32(gain) * over[:size])
    assert late_by_s(right, beneath) == pytest.approx(0, abs=0.002)


def test_a_frozen_twin_shows_its_first_frame_and_sounds_as_before(clips, folder):
    right, twin = analyse(clips[0].path), analyse(made(Twin(FROZEN, clips[0]), folder))
    assert np.array_equal(twin.frame_us, right.frame_us) and twin.duration_us == right.duration_us
    assert twin.motion.max() < 0.005 < right.motion.max()
    assert abs(late_by_s(right, twin)) <= 0.001


def test_the_naive_score_is_highest_where_the_sound_belongs(clips, folder):
    seen = moves(clips[0].path)
    right = naive(seen, heard(clips[0].path))
    assert right > 2 > naive(seen, heard(made(Twin("late 0.3 s", clips[0]), folder)))
    assert np.isnan(naive(seen, heard(clips[0].path), (0, 0)))


def test_a_table_of_two_clips_tells_them_from_their_twins(clips, folder, monkeypatch):
    monkeypatch.setattr(running, "natural_clips", lambda: clips)
    options = Namespace(side="all", limit=2, workers=1, scores=["motion", "loudness", "sync"], twins=folder)
    result = running.run(options)
    columns = {row["column"] for row in result.rows}
    assert {"naive", "p_in_sync", "P(good)", "policy"} <= columns
    take = next(
        row for row in result.rows if (row["column"], row["unit"], row["of"]) == ("p_in_sync", "take", "action")
    )
    assert take["clips"] == 2 and take["0.3"] == 1.0
    names = [goal.what for goal in result.goals]
    assert len(names) == len(set(names))
    assert {"right clips rejected", "right clips accepted"} <= set(names)


def test_what_cannot_be_measured_is_told_and_counts_nowhere(clips, folder, tmp_path):
    broken = replace(clips[0], path=tmp_path / "broken.mp4")
    broken.path.write_bytes(clips[0].path.read_bytes()[:400])
    table = Table(measure(Job(broken, twins_of(broken, clips), folder, ("sync",))))
    assert table.unmeasured and not table.right(lambda _: True) and table.of(broken, RIGHT) is None


def test_a_twin_that_is_not_moved_as_it_says_counts_nowhere(clips, folder, monkeypatch):
    monkeypatch.setitem(SHIFTS_S, "late 0.3 s", 0.2)
    found = measure(Job(clips[0], [Twin("late 0.3 s", clips[0])], folder, ("motion",)))
    assert [one.outcome for one in found][1:] == [MISPLACED]


def test_every_doubted_clip_has_a_reason():
    assert all(name and why for name, why in running.doubted().items())
