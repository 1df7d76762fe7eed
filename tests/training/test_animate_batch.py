"""Tables and grids of videos, and what is refused, each in one sentence."""

import csv
import json

import av
import numpy as np
import pytest
import torch

from shards.errors import BadInput, ClapboardError, Unavailable
from tests.training.conftest import as_sound
from tests.training.staging import noisy_run
from training.adapter.files import DESCRIPTION
from training.animate.animator import Animator
from training.animate.batch import Outcome, read_rows, run_batch
from training.animate.grid import write_grid
from training.animate.make import Job, make_video
from training.animate.memory import memory_told
from training.animate.settings import SampleSettings

QUICK = SampleSettings(num_inference_steps=1)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return noisy_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def animator(run):
    return Animator(run, device="cpu")


def outcomes(folder):
    with (folder / "outcomes.csv").open(newline="") as file:
        return [(line["row"], line["out"], line["outcome"]) for line in csv.DictReader(file)]


def test_a_table_goes_on_where_it_stopped_and_bad_rows_stop_nobody(animator, grey_image, click_sound, tmp_path):
    table, folder = tmp_path / "table.csv", tmp_path / "videos"
    (tmp_path / "quiet.wav").write_bytes(as_sound(np.zeros(8000), "wav"))
    table.write_text(
        "image,sound,caption,out,seed\n"
        "image.png,sound.wav,a flash,first.mp4,3\n"
        "nowhere.png,sound.wav,,,\n"
        "image.png,quiet.wav,,,\n"
        "image.png,sound.wav,,../out.mp4,\n"
        "image.png,sound.wav,,,one\n"
        "image.png,,,,\n"
        "image.png,sound.wav,,deep/last.mp4,\n"
    )
    told = []
    found = run_batch(animator, table, folder, settings=QUICK, tell=told.append)
    assert told == found
    assert [one.outcome for one in found] == [Outcome.DONE, *[Outcome.BAD_INPUT] * 5, Outcome.DONE]
    words = ("no image", "is silent", "lies outside", "no whole number", "names no sound")
    assert all(one in row.why for one, row in zip(words, found[1:6], strict=True))
    assert outcomes(folder)[0] == ("1", "first.mp4", "done") and len(outcomes(folder)) == 7
    assert json.loads((folder / "first.json").read_text())["request"]["settings"]["seed"] == 3
    assert not (tmp_path / "out.mp4").exists()
    (folder / "deep" / "last.mp4").unlink()
    again = run_batch(animator, table, folder, settings=QUICK)
    assert [again[0].outcome, again[-1].outcome] == [Outcome.KEPT, Outcome.DONE]
    other = run_batch(animator, table, folder, settings=SampleSettings(num_inference_steps=1, audio_guidance_scale=1.0))
    assert other[0].outcome is Outcome.DONE, "made of something else"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("picture,sound\n", "lacks image and has 'picture'"),
        ("", "lacks image, sound"),
        (b"\xff\xfe\x00", "no CSV file"),
    ],
)
def test_a_table_with_other_columns_is_refused(tmp_path, text, words):
    (tmp_path / "table.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BadInput, match=words):
        read_rows(tmp_path / "table.csv")


def test_a_table_as_spreadsheets_write_it_is_read(tmp_path):
    (tmp_path / "table.csv").write_bytes('\ufeffsound, image\r\na.wav,"b, c.png"\r\n'.encode())
    (row,) = read_rows(tmp_path / "table.csv")
    assert (row.image, row.sound, row.seed) == ("b, c.png", "a.wav", "")


def test_a_grid_has_a_cell_for_each_pair_of_scales(animator, grey_image, click_sound, tmp_path):
    job = Job(grey_image, click_sound, tmp_path / "grid.mp4", "a flash", QUICK)
    told = []
    write_grid(animator, job, audio_scales=(0, 2, 8), word_scales=(1, 3), progress=lambda *one: told.append(one))
    with av.open(str(job.out)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert len(container.streams.audio) == 1
    assert frames[0].shape == (2 * (256 + 24), 3 * 256, 3) and len(frames) == 6
    assert told[-1] == (6, 6, "cell 6 of 6")
    cells = [frames[4][:256, 256 * place : 256 * (place + 1)].astype(int) for place in range(3)]
    assert np.abs(cells[0] - cells[2]).mean() > 1, "guidance by sound changes something"
    assert frames[0][256:280].max() > 200, "the label can be seen"
    record = json.loads((tmp_path / "grid.json").read_text())
    assert record["grid"] == {"audio_guidance_scale": [0, 2, 8], "guidance_scale": [1, 3]}


def test_silence_is_refused_before_anything_is_loaded(animator, grey_image, tmp_path):
    (tmp_path / "quiet.wav").write_bytes(as_sound(np.zeros(8000), "wav"))
    with pytest.raises(BadInput, match="silent"):
        make_video(animator, Job(grey_image, tmp_path / "quiet.wav", tmp_path / "out.mp4"))
    assert not (tmp_path / "out.mp4").exists() and not (tmp_path / "out.json").exists()


def test_missing_weights_are_named_with_what_mends_it(run, tmp_path):
    moved = tmp_path / "adapter"
    moved.mkdir()
    for path in (run / "adapter").iterdir():
        (moved / path.name).write_bytes(path.read_bytes())
    with pytest.raises(Unavailable, match="the weights of tiny") as caught:
        Animator(moved, device="cpu")
    assert "--weights" in caught.value.remedy
    assert Animator(moved, device="cpu", weights=run / "weights").weights == run / "weights"
    with pytest.raises(Unavailable, match="no folder"):
        Animator(moved, device="cpu", weights=tmp_path / "nowhere")
    described = json.loads((moved / DESCRIPTION).read_text())
    described["notes"]["backbone"], described["config"]["video"]["frames"] = "wan2.2-ti2v-5b", 13
    (moved / DESCRIPTION).write_text(json.dumps(described))
    with pytest.raises(Unavailable, match="ti2v-5b are not on this machine") as caught:
        Animator(moved, device="cpu")
    assert "weights fetch" in caught.value.remedy


def test_a_run_that_is_not_finished_is_told_from_a_folder_that_is_none(tmp_path):
    with pytest.raises(BadInput, match="no finished run and no adapter"):
        Animator(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(BadInput, match="is not finished"):
        Animator(tmp_path)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_too_little_memory_is_one_sentence(error):
    with pytest.raises(Unavailable, match="too little memory"), memory_told("cuda"):
        raise error


def test_other_trouble_stays_what_it_is():
    with pytest.raises(RuntimeError, match="shapes"), memory_told("cpu"):
        raise RuntimeError("shapes do not fit")


def test_memory_that_truly_ends_is_said_so():
    with pytest.raises(Unavailable, match="this machine has too little memory"), memory_told("cpu"):
        torch.empty(1 << 60, dtype=torch.uint8)


@pytest.mark.parametrize(
    "settings", [{"num_inference_steps": 0}, {"audio_guidance_scale": -1.0}, {"guidance_scale": -0.5}, {"seed": -1}]
)
def test_settings_that_mean_nothing_are_refused(settings):
    with pytest.raises(ClapboardError):
        SampleSettings(**settings)
