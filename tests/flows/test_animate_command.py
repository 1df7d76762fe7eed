"""`clapboard animate` as people call it."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import wavfile
from torch import nn
from typer.testing import CliRunner

from flows.cli.app import app
from shards.errors import BadInput, Unavailable
from tests.calling import call
from training.adapter.files import save_adapter
from training.adapter.layer import AudioAdapter
from training.backbones import open_backbone, shape_of
from training.settings.config import stage_config
from training.stages.fitting import fitted_config


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A home with a finished run, an image and a sound of one second."""
    root = tmp_path_factory.mktemp("home")
    run = root / "training" / "stage-one" / "abc"
    backbone = open_backbone("tiny")
    backbone.network.save_pretrained(run / "weights")
    adapter = AudioAdapter(fitted_config(stage_config(1), shape_of(backbone)))
    torch.manual_seed(0)
    for site in adapter.sites:
        nn.init.normal_(site.out.weight, std=0.2)
    notes = {"backbone": "tiny", "weights": "../weights"}
    save_adapter(run / "adapter", adapter.config, adapter.state_dict(), notes=notes)
    (run.parent / "newest").write_text("abc")
    Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(root / "image.png")
    noise = np.random.default_rng(0).integers(-9000, 9000, 16_000).astype(np.int16)
    wavfile.write(root / "sound.wav", 16_000, noise)
    return root


def animate(place: Path, *arguments: str):
    said = ["animate", *arguments, "--home", str(place), "--device", "cpu", "--steps", "1"]
    return CliRunner().invoke(app, said, catch_exceptions=True)


def inputs(place: Path) -> list[str]:
    return [str(place / "image.png"), str(place / "sound.wav")]


def test_an_image_and_a_sound_are_enough(place, tmp_path):
    out = tmp_path / "out.mp4"
    done = animate(place, *inputs(place), "-o", str(out), "--negative", "blur", "--audio-guidance", "3")
    assert done.exit_code == 0 and done.stdout.strip() == str(out) and out.is_file()
    settings = json.loads((tmp_path / "out.json").read_text())["request"]["settings"]
    assert (settings["negative"], settings["audio_guidance_scale"], settings["num_inference_steps"]) == ("blur", 3.0, 1)


def test_options_may_come_first_and_seeds_give_a_video_each(place, tmp_path):
    out = tmp_path / "out.mp4"
    done = animate(place, "--seeds", "2", "--seed", "4", "--scheduler", "unipc", *inputs(place), "-o", str(out))
    assert done.exit_code == 0, done.output
    assert {one.name for one in tmp_path.iterdir()} == {"out-4.mp4", "out-4.json", "out-5.mp4", "out-5.json"}


def test_a_grid_is_one_video(place, tmp_path):
    out = tmp_path / "grid.mp4"
    assert animate(place, *inputs(place), "-o", str(out), "--grid", "0,4", "--grid-words", "1").exit_code == 0
    assert {one.name for one in tmp_path.iterdir()} == {"grid.mp4", "grid.json"}


def test_a_table_with_a_bad_row_says_so_and_ends_with_1(place, tmp_path):
    (place / "table.csv").write_text("image,sound\nimage.png,sound.wav\nimage.png,image.png\n")
    done = animate(place, "--batch", str(place / "table.csv"), "-o", str(tmp_path))
    assert done.exit_code == 1
    assert "1 of 2 videos" in done.stdout and "row 2: bad_input" in done.output
    assert {one.name for one in tmp_path.iterdir()} == {"0001.mp4", "0001.json", "outcomes.csv"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["image.png"], "what to animate"),
        (["image.png", "sound.wav", "--batch", "table.csv"], "what to animate"),
        (["image.png", "sound.wav", "--scheduler", "magic"], "no scheduler 'magic'"),
        (["image.png", "sound.wav", "--grid", "1,x"], "no number"),
        (["image.png", "sound.wav", "--grid", "1,nan"], "no guidance"),
        (["image.png", "sound.wav", "--grid-words", "1"], "without --grid"),
        (["image.png", "sound.wav", "--grid", "1", "--seeds", "2"], "goes with neither"),
        (["image.png", "sound.wav", "--run", "nowhere"], "no finished run"),
    ],
)
def test_what_cannot_be_meant_is_refused(place, arguments, words):
    done = animate(place, *arguments)
    assert isinstance(done.exception, BadInput) and words in str(done.exception)


def test_an_error_is_a_sentence(place, capfd):
    code, _, told = call(capfd, "animate", "nowhere.png", inputs(place)[1], "--home", str(place), "--device", "cpu")
    assert code == 2 and "there is no image nowhere.png" in told and "Traceback" not in told


def test_the_page_without_its_extra_says_what_installs_it(place, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    done = CliRunner().invoke(app, ["animate", "serve", "--home", str(place), "--device", "cpu", "--port", "0"])
    assert isinstance(done.exception, Unavailable) and "pip install 'clapboard[page]'" in str(done.exception)
