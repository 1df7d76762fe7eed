"""The pipeline in diffusers' manner: one call, `.frames`, a folder to save and to share."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
from PIL import Image

from shards.errors import BadInput, Unavailable
from tests.training.staging import noisy_run, save_noisy
from training.animate import AudioImageToVideoPipeline
from training.animate.shipped import shipped_adapter
from training.backbones import BackboneOptions, open_backbone
from training.settings.config import stage_config
from training.world import FilmSpec, draw

RATE_HZ = 16_000
NARROW = {"audio_width": 16, "heads": 2, "budget": 0.03}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return noisy_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def pipeline(run):
    made = AudioImageToVideoPipeline.from_pretrained(run)
    made.set_progress_bar_config(disable=True)
    return made


def picture():
    return np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)


def sound(seconds=1.0):
    return np.random.default_rng(0).normal(0, 0.1, round(seconds * RATE_HZ)).clip(-1, 1)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_call_gives_frames_as_diffusers_does(pipeline):
    given = {"sampling_rate": RATE_HZ, "num_inference_steps": 1}
    output = pipeline(Image.fromarray(picture()), sound(), num_videos_per_prompt=2, generator=seeded(), **given)
    assert len(output.frames) == 2 and [len(one) for one in output.frames] == [6, 6]
    assert output.frames[0][0].size == (64, 64)
    assert np.array_equal(np.asarray(output.frames[0][0]), picture())
    again = pipeline(picture(), sound(), num_videos_per_prompt=2, generator=seeded(), output_type="np", **given).frames
    assert again.shape == (2, 6, 64, 64, 3) and again.dtype == np.float32 and 0 <= again.min() <= again.max() <= 1
    assert np.array_equal(np.rint(again[1, 5] * 255), np.asarray(output.frames[1][5]))
    assert not np.array_equal(again[0], again[1])


def test_channels_and_tensors_are_sounds_too_and_photos_stand_upright(pipeline):
    stereo = torch.from_numpy(np.stack([sound(), sound()]))
    exif = Image.Exif()
    exif[0x0112] = 3
    upside_down = Image.fromarray(picture()[::-1, ::-1])
    upside_down.getexif().update(exif)
    generator = {"sampling_rate": RATE_HZ, "num_inference_steps": 1, "output_type": "np"}
    one = pipeline(upside_down, stereo, generator=[seeded()], **generator).frames
    other = pipeline(picture(), sound(), generator=seeded(), **generator).frames
    assert np.allclose(one, other, atol=2 / 255)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sampling_rate": None}, "without their rate"),
        ({"audio": np.zeros(8000)}, "is silent"),
        ({"audio": np.full(8000, np.nan)}, "no sound"),
        ({"image": np.zeros((4, 4, 9), np.uint8)}, "no image"),
        ({"output_type": "latent"}, "no output"),
        ({"scheduler": "magic"}, "no scheduler"),
        ({"num_videos_per_prompt": 0}, "are none"),
        ({"generator": [torch.Generator()], "num_videos_per_prompt": 2}, "1 generators for 2"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(pipeline, changes, words):
    given = {"image": picture(), "audio": sound(), "sampling_rate": RATE_HZ} | changes
    with pytest.raises(BadInput, match=words):
        pipeline(given.pop("image"), given.pop("audio"), **given)


def test_a_saved_folder_stands_alone(pipeline, run, tmp_path):
    folder = pipeline.save_pretrained(tmp_path / "saved")
    (tmp_path / "saved").rename(tmp_path / "moved")
    opened = AudioImageToVideoPipeline.from_pretrained(tmp_path / "moved")
    opened.set_progress_bar_config(disable=True)
    given = {"sampling_rate": RATE_HZ, "num_inference_steps": 1, "output_type": "np"}
    ours, theirs = (one(picture(), sound(), generator=seeded(3), **given).frames for one in (pipeline, opened))
    assert np.array_equal(ours, theirs)
    card = (tmp_path / "moved" / "README.md").read_text()
    assert card.startswith("---\nlibrary_name") and "tiny" in card
    opened.save_pretrained(tmp_path / "moved")
    assert not folder.exists()


@pytest.fixture(scope="module")
def film():
    return draw(FilmSpec(scene="hammering_anvil", seed=5, duration_s=2.0))


def test_the_shipped_adapter_moves_a_drawn_picture_and_is_saved_without_its_generator(film, tmp_path):
    given = {"sampling_rate": film.rate_hz, "num_inference_steps": 2, "output_type": "np"}
    shipped = AudioImageToVideoPipeline.from_pretrained()
    shipped.set_progress_bar_config(disable=True)
    assert str(shipped_adapter()) in repr(shipped) and shipped.device == torch.device("cpu")
    frames = shipped(
        film.frames[0], film.audio, prompt="a hammer strikes an anvil", generator=seeded(1), **given
    ).frames
    assert frames.shape == (1, 24, 96, 96, 3) and np.abs(np.diff(frames[0], axis=0)).max() > 0.1
    saved = shipped.save_pretrained(tmp_path / "saved")
    assert not (saved / "weights").exists(), "what comes with the package is named, not copied"
    opened = AudioImageToVideoPipeline.from_pretrained(saved)
    opened.set_progress_bar_config(disable=True)
    again = opened(film.frames[0], film.audio, prompt="a hammer strikes an anvil", generator=seeded(1), **given).frames
    assert np.array_equal(frames, again)


def test_steps_are_told_and_can_be_stopped(pipeline):
    told = []
    given = {"sampling_rate": RATE_HZ, "num_inference_steps": 3, "generator": seeded()}
    pipeline(picture(), sound(), callback=lambda *step: told.append(step), **given)
    assert [done for done, _, _ in told][-1] == 3 and {total for _, total, _ in told} == {3}

    def stop(done, total, note):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipeline(picture(), sound(), callback=stop, **given)


def test_on_wan_with_its_parts_offloaded(published, tmp_path):
    name, small = "wan2.2-ti2v-5b", {"frames": 9, "size_px": (32, 32)}
    backbone = open_backbone(name, BackboneOptions(published[name], **small))
    save_noisy(tmp_path / "adapter", backbone, stage_config(1, backbone=name, **NARROW), size_px=[32, 32])
    with pytest.raises(Unavailable, match=r"wan2\.2"):
        AudioImageToVideoPipeline.from_pretrained(tmp_path / "adapter")
    opened = AudioImageToVideoPipeline.from_pretrained(tmp_path / "adapter", backbone=published[name])
    opened.set_progress_bar_config(disable=True)
    opened.enable_model_cpu_offload("cpu")
    frames = opened(
        picture(), sound(0.5), sampling_rate=RATE_HZ, prompt="a drum", negative_prompt="light", num_inference_steps=2,
        scheduler="unipc",
    ).frames  # fmt: skip
    assert len(frames[0]) == 12 and frames[0][0].size == (32, 32)
    saved = opened.save_pretrained(tmp_path / "saved")
    assert not (saved / "weights").exists(), "published weights are named, not copied"


def test_what_is_neither_a_folder_nor_on_the_hub_is_said_so(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(Unavailable, match="neither a folder here"):
        AudioImageToVideoPipeline.from_pretrained("nobody/nothing-of-this-name")


@pytest.fixture
def hub(monkeypatch):
    """A hub on this machine that keeps what is pushed."""
    kept = {}

    class Hub(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path.endswith("/repos/create"):
                self.answer({"url": f"{address}/ada/adapter", "id": "ada/adapter"})
            elif "/preupload/" in self.path:
                wanted = json.loads(body)["files"]
                self.answer(
                    {"files": [{"path": one["path"], "uploadMode": "regular", "shouldIgnore": False} for one in wanted]}
                )
            elif "/commit/" in self.path:
                lines = [json.loads(line) for line in body.splitlines()]
                kept.update({one["value"]["path"]: one["value"] for one in lines if one["key"] == "file"})
                self.answer({"commitUrl": f"{address}/ada/adapter/commit/1", "commitOid": "1", "pullRequestUrl": None})
            else:
                self.answer({})

        def do_GET(self):
            self.answer({"id": "ada/adapter", "siblings": [], "sha": "0"})

        def answer(self, value):
            data = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
    yield kept
    server.shutdown()
    server.server_close()


def test_a_hub_out_of_reach_is_said_so_in_a_sentence(pipeline, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(Unavailable, match="ada/adapter could not be pushed"):
        pipeline.push_to_hub("ada/adapter", token="hf_secret")


def test_pushed_to_a_hub_all_files_of_the_folder_are_there(pipeline, hub):
    pipeline.push_to_hub("ada/adapter", token="hf_secret")
    assert set(hub) >= {"README.md", "adapter.json", "adapter.safetensors", "weights/config.json"}
