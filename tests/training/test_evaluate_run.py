import json
import math

import numpy as np
import pytest

from shards.errors import BadInput
from training.evaluate.benchmarks import Benchmark, DrawnSource, FileSource, open_benchmark
from training.evaluate.compare import compared, read_evaluation
from training.evaluate.controls import Control
from training.evaluate.films import ClipFormat, clip_starts_s, read_clips
from training.evaluate.players import FolderPlayer
from training.evaluate.registry import chosen
from training.evaluate.run import evaluate
from training.world import FilmSpec, draw, write_film

CUT = ClipFormat(frames=24, fps=12, size_px=(64, 64), per_video=1)
METRICS = ("event_f1", "offset_error_s", "frechet_pixels", "frechet_motion")


def film_file(path, scene="playing_drum", seed=920_000, seconds=2.0, **changes):
    film = draw(FilmSpec(scene=scene, seed=seed, duration_s=seconds, width_px=64, height_px=64, fps=12, **changes))
    write_film(film, path)
    return film


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The truth of eight drawn films against its controls, and where it lies."""
    out = tmp_path_factory.mktemp("drawn")
    benchmark = open_benchmark("drawn", limit=8)
    return benchmark, evaluate(benchmark, chosen(METRICS), out), out


def test_true_films_are_told_from_their_controls_by_what_can_tell(drawn):
    _, said, _ = drawn
    found = {one.name: one for one in said.metrics}
    assert found["event_f1"].truth.value == 1.0
    assert found["event_f1"].verdict() == "tells all controls"
    assert math.isnan(found["event_f1"].film.value)
    assert found["event_f1"].clips == found["event_f1"].videos == 8
    assert set(found["event_f1"].controls) == set(Control)
    # A still picture has no offset: nothing is said of it, so it is not told from the truth.
    assert "static" in found["offset_error_s"].blind_to
    # What does not hear is not asked about sounds.
    assert set(found["frechet_motion"].controls) == {"static"}


def test_a_finished_evaluation_is_not_measured_again_and_a_killed_one_goes_on(drawn):
    benchmark, said, out = drawn
    files = sorted((out / "clips").glob("*.npz"))
    before = {path: path.stat().st_mtime_ns for path in files}
    files[3].unlink()
    again = evaluate(benchmark, chosen(METRICS), out)
    assert json.dumps(again.to_json()) == json.dumps(said.to_json())
    after = {path: path.stat().st_mtime_ns for path in files}
    assert [path for path in files if after[path] != before[path]] == [files[3]]


def test_what_was_measured_for_another_sound_is_measured_anew(drawn):
    benchmark, _, out = drawn
    fewer = Benchmark("drawn", benchmark.sources[2:5], benchmark.cut)
    said = evaluate(fewer, chosen(["event_f1"]), out)
    fresh = evaluate(fewer, chosen(["event_f1"]), out.with_name("fresh"))
    assert said.metrics[0].controls["swapped"].value == fresh.metrics[0].controls["swapped"].value


def test_films_of_a_folder_are_judged_with_the_benchmarks_sound(tmp_path):
    benchmark = Benchmark("drawn", [DrawnSource("playing_drum", 920_000 + n) for n in range(4)], CUT)
    for source in benchmark.sources:
        film_file(tmp_path / "films" / f"{source.video_id}_clip-0.mp4", seed=source.seed)
    good = evaluate(benchmark, chosen(["event_f1"]), tmp_path / "out", player=FolderPlayer(tmp_path / "films"))
    assert good.metrics[0].film.value == pytest.approx(1.0)
    still = tmp_path / "films" / f"{benchmark.sources[1].video_id}_clip-0.mp4"
    film_file(still, seed=benchmark.sources[1].seed, static=True)
    worse = evaluate(benchmark, chosen(["event_f1"]), tmp_path / "out", player=FolderPlayer(tmp_path / "films"))
    assert worse.metrics[0].film.value == pytest.approx(0.75)
    still.unlink()
    with pytest.raises(BadInput, match="there is no film"):
        evaluate(benchmark, chosen(["event_f1"]), tmp_path / "out", player=FolderPlayer(tmp_path / "films"))


def test_results_are_kept_as_json_and_parquet_and_compared_by_clip(tmp_path):
    import pyarrow.parquet as pq

    benchmark = Benchmark("drawn", [DrawnSource("ringing_bell", 921_000 + n) for n in range(5)], CUT)
    for name, static in (("moving", False), ("still", True)):
        for source in benchmark.sources:
            path = tmp_path / name / f"{source.video_id}_clip-0.mp4"
            film_file(path, scene="ringing_bell", seed=source.seed, static=static)
        player = FolderPlayer(tmp_path / name)
        asked = chosen(["event_f1", "frechet_motion"])
        evaluate(benchmark, asked, tmp_path / f"{name}-out", player=player).save(tmp_path / f"{name}-out")
    said = json.loads((tmp_path / "moving-out" / "evaluation.json").read_text())
    assert said["metrics"][0]["protocol"].startswith("24 frames at 12 fps, 64x64 px")
    assert said["metrics"][0]["protocol"].endswith("n = 5 clips of 5 videos")
    table = pq.read_table(tmp_path / "moving-out" / "evaluation.parquet")
    assert table.column_names == ["clip", "video_id", "caption", "metric", "whose", "value"]
    first, second = (read_evaluation(tmp_path / f"{name}-out") for name in ("moving", "still"))
    found = {one.metric: one for one in compared(first, second, higher_is_better={"event_f1": True})}
    assert found["event_f1"].test.difference.value == pytest.approx(1.0)
    assert found["event_f1"].verdict("moving", "still") == "moving is better"
    assert found["frechet_motion"].test is None
    with pytest.raises(BadInput, match="holds no evaluation"):
        read_evaluation(tmp_path)


def test_evaluations_of_two_protocols_are_not_compared(tmp_path):
    for name, frames in (("long", 24), ("short", 12)):
        cut = ClipFormat(frames=frames, fps=12, size_px=(64, 64), per_video=1)
        benchmark = open_benchmark("drawn", limit=3)
        evaluate(benchmark, chosen(["event_f1"]), tmp_path / name, cut=cut).save(tmp_path / name)
    found = compared(*(read_evaluation(tmp_path / name) for name in ("long", "short")), higher_is_better={})
    assert found[0].why_not == "protocols differ: not comparable"


def test_a_video_that_cannot_be_read_is_left_out_and_named(tmp_path):
    for n in range(3):
        film_file(tmp_path / "drum" / f"{n}.mp4", seed=922_000 + n)
    (tmp_path / "drum" / "broken.mp4").write_bytes(b"no video")
    film_file(tmp_path / "drum" / "zzz.mp4", seed=922_009)
    benchmark = open_benchmark("folder", tmp_path)
    for _ in range(2):
        said = evaluate(benchmark, chosen(["offset_error_s"]), tmp_path / "out", cut=CUT)
        assert list(said.skipped) == ["drum__broken"]
        assert said.metrics[0].videos == 4


def test_too_few_videos_cannot_be_swapped(tmp_path):
    with pytest.raises(BadInput, match="1 videos"):
        evaluate(open_benchmark("drawn", limit=1), chosen(["event_f1"]), tmp_path)


def test_clips_are_head_centre_and_tail():
    cut = ClipFormat()
    assert clip_starts_s(10.0, cut) == [0.0, 4.0, 8.0]
    assert clip_starts_s(1.5, cut) == [0.0]
    assert clip_starts_s(10.0, ClipFormat(per_video=1)) == [4.0]


def test_clips_of_a_file_show_and_sound_what_lies_there(tmp_path):
    path = tmp_path / "film.mp4"
    film = film_file(path, seconds=5.0)
    clips = read_clips(path, CUT, video_id="film", caption="a drum")
    assert [one.name for one in clips] == ["film_clip-0"]
    finer = ClipFormat(frames=24, fps=12, size_px=(64, 64), rate_hz=48_000)
    three = read_clips(path.read_bytes(), finer, video_id="film")
    assert [one.name for one in three] == ["film_clip-0", "film_clip-1", "film_clip-2"]
    for clip, start in zip(three, (0, 18, 36), strict=True):
        # Of all places in the film the pictures are nearest to those of their own.
        far = [np.abs(clip.frames.astype(int) - film.frames[at : at + 24]).mean() for at in range(37)]
        assert np.argmin(far) == start
        want = film.audio[start * 4000 : start * 4000 + 96_000]
        assert np.corrcoef(clip.waveform, want)[0, 1] > 0.98


def test_benchmarks_are_read_as_the_predecessor_lays_them_out(tmp_path):
    for name, folder in (("avsync15", "videos"), ("greatest-hits", "videos"), ("landscapes", "videos/test")):
        data = tmp_path / name
        (data / folder / "dog_barking").mkdir(parents=True)
        (data / folder / "dog_barking" / "x.mp4").write_bytes(b"")
        (data / "test.txt").write_text("dog_barking/x.mp4\n")
        (source,) = open_benchmark(name, data).sources
        assert source == FileSource(data / folder / "dog_barking" / "x.mp4", source.caption, "dog_barking__x")
        assert source.caption == ("hitting with a stick" if name == "greatest-hits" else "dog barking")
    (tmp_path / "avsync15" / "test.txt").write_text("dog_barking/x.mp4\ndog_barking/y.mp4\n")
    with pytest.raises(BadInput, match="1 of 2 videos"):
        open_benchmark("avsync15", tmp_path / "avsync15")


def test_folders_tables_and_sparse_lists_are_read(tmp_path):
    for name in ("a.mp4", "b.mp4", "ID1_1000_11000.mp4"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "a.txt").write_text("an axe\n")
    by_id = {one.video_id: one.caption for one in open_benchmark("folder", tmp_path).sources}
    assert by_id == {"a": "an axe", "b": "", "ID1_1000_11000": ""}
    (tmp_path / "corpus.csv").write_text("file,what,truth\na.mp4,axe,action\nb.mp4,sea,ambient\ngone.mp4,x,action\n")
    picked = open_benchmark("folder", tmp_path, where=("truth", "ambient")).sources
    assert [one.video_id for one in picked] == ["b"]
    (tmp_path / "list.csv").write_text("ID1,dog barking\nID2,cat\n")
    sparse = open_benchmark("vggsound-sparse", tmp_path).sources
    assert [(one.video_id, one.caption) for one in sparse] == [("ID1_1000_11000", "dog barking")]


@pytest.mark.parametrize(
    ("name", "says"), [("nothing", "no benchmark 'nothing'"), ("folder", "holds no video"), ("avsync15", "no test.txt")]
)
def test_a_benchmark_that_is_not_there_says_so(tmp_path, name, says):
    with pytest.raises(BadInput, match=says):
        open_benchmark(name, tmp_path)
    with pytest.raises(BadInput, match="lies somewhere"):
        open_benchmark(name)
