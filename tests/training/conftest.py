"""A tiny published snapshot of flashes that light up exactly at clicks: whoever listens knows when to flash."""

import io
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from shards.publishing import publish
from shards.schema import Blob, ClipRecord, Sample
from shards.snapshot import Snapshot
from tests.training.staging import quick
from training.settings.config import TrainConfig
from training.stages.result import StageResult
from training.stages.stage import train_stage

RATE_HZ, FPS, SIDE_PX, SECONDS = 16_000, 12, 64, 2.5


def click_flash(seed: int) -> Sample:
    """A grey picture with a square that is white for a sixth of a second at every click."""
    random = np.random.default_rng(seed)
    times_s = np.cumsum(random.uniform(0.4, 0.8, size=6)) - 0.3
    times_s = times_s[times_s < SECONDS - 0.1]
    frames = np.full((round(SECONDS * FPS), SIDE_PX, SIDE_PX, 3), 90, np.uint8)
    wave = random.normal(0, 1e-3, round(SECONDS * RATE_HZ))
    click = random.uniform(-0.8, 0.8, 800) * np.exp(-np.arange(800) / 200)
    for time_s in times_s:
        first = round(time_s * FPS)
        frames[first : first + 2, 16:48, 16:48] = 255
        start = round(first / FPS * RATE_HZ)
        piece = wave[start : start + len(click)]
        piece += click[: len(piece)]
    record = ClipRecord(
        key=f"{seed:04x}", video_id=f"video-{seed}", link="http://example.org/v.mp4", video_sha256="0" * 64,
        licence="CC0-1.0", start_us=0, end_us=round(SECONDS * 1e6), caption="a flash", label="flash",
        frames=len(frames), width_px=SIDE_PX, height_px=SIDE_PX, rate_hz=RATE_HZ, band="accept", reasons=(),
        p_good=0.9,
    )  # fmt: skip
    return Sample(record, mp4=Blob.of(as_mp4(frames)), flac=Blob.of(as_sound(wave, "flac")))


def as_mp4(frames: np.ndarray, fps: int = FPS) -> bytes:
    import av

    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": "12", "threads": "1"})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()


def as_sound(wave: np.ndarray, kind: str, rate_hz: int = RATE_HZ) -> bytes:
    import av

    out = io.BytesIO()
    with av.open(out, "w", format=kind) as container:
        stream = container.add_stream("flac" if kind == "flac" else "pcm_s16le", rate=rate_hz, layout="mono")
        levels = (np.clip(wave, -1, 1) * 32767).astype(np.int16)
        for first in range(0, len(levels), 4096):
            frame = av.AudioFrame.from_ndarray(levels[None, first : first + 4096], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = rate_hz, first, Fraction(1, rate_hz)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()


@pytest.fixture(scope="session")
def flash_samples() -> list[Sample]:
    return [click_flash(seed) for seed in range(20)]


@pytest.fixture(scope="session")
def snapshots_root(tmp_path_factory, flash_samples) -> Path:
    root = tmp_path_factory.mktemp("snapshots")
    publish(root, "auto", flash_samples[:16], recipe={})
    publish(root, "curated", flash_samples[16:], recipe={})
    return root


@pytest.fixture(scope="session")
def prepared(snapshots_root, tmp_path_factory) -> Path:
    """Cache and backbone of short stages, made once."""
    runs = tmp_path_factory.mktemp("prepared")
    train_stage(quick(steps=1), snapshots_root=snapshots_root, runs_root=runs)
    return runs


@pytest.fixture(scope="session")
def train_in(prepared, snapshots_root) -> Callable[..., StageResult]:
    """Run a stage in a folder, which gets the prepared cache and backbone first."""

    def go(root: Path, config: TrainConfig, **more) -> StageResult:
        for part in ("cache", "backbones"):
            shutil.copytree(prepared / part, root / part, dirs_exist_ok=True)
        return train_stage(config, snapshots_root=snapshots_root, runs_root=root, **more)

    return go


@pytest.fixture(scope="session")
def plain(train_in, tmp_path_factory) -> StageResult:
    """A short stage with nothing set apart: what others are compared with."""
    return train_in(tmp_path_factory.mktemp("plain"), quick())


@pytest.fixture
def run(train_in, tmp_path) -> Callable[..., StageResult]:
    """Run a stage in a folder of its own; returns the result."""
    made = []

    def go(config: TrainConfig, *, where: str = "", **more) -> StageResult:
        made.append(tmp_path / (where or f"run-{len(made)}"))
        return train_in(made[-1], config, **more)

    return go


@pytest.fixture(scope="session")
def auto_snapshot(snapshots_root) -> Snapshot:
    from shards.snapshot import open_snapshot

    return open_snapshot(snapshots_root, "auto")


@pytest.fixture(scope="session")
def published(tmp_path_factory) -> dict[str, Path]:
    """Tiny models of the published kinds at random weights, in the folders that diffusers and transformers write."""
    root = tmp_path_factory.mktemp("published")
    wan = _tiny_wan(root / "wan")
    return {
        "wan2.2-ti2v-5b": wan,
        "wan2.1-1.3b": wan,
        "wan2.1-i2v-14b": _tiny_wan_i2v(root / "wan-i2v"),
        "animatediff": _tiny_animatediff(root / "animatediff"),
    }


@pytest.fixture
def grey_image(tmp_path) -> Path:
    import av

    pixels = np.full((80, 80, 3), 90, np.uint8)
    with av.open(str(tmp_path / "image.png"), "w", format="image2") as container:
        stream = container.add_stream("png", rate=1)
        stream.height, stream.width, stream.pix_fmt = 80, 80, "rgb24"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return tmp_path / "image.png"


@pytest.fixture
def click_sound(tmp_path) -> Path:
    wave = np.zeros(RATE_HZ)
    wave[4000:4800] = np.random.default_rng(0).uniform(-0.8, 0.8, 800)
    (tmp_path / "sound.wav").write_bytes(as_sound(wave, "wav"))
    return tmp_path / "sound.wav"


WORDS = ["a", "flash", "drum", "of", "light"]


def _tokenizer(folder: Path, **special: str) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    names = ["<pad>", "</s>", "<unk>", *WORDS]
    made = Tokenizer(models.WordLevel({name: place for place, name in enumerate(names)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="<unk>", pad_token="<pad>", eos_token="</s>", **special
    )
    fast.save_pretrained(folder)


def _tiny_wan_i2v(folder: Path) -> Path:
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModel

    # As the published tower: 257 rows of what it sees.
    CLIPVisionModel(
        CLIPVisionConfig(
            hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4, image_size=224,
            patch_size=14,
        )
    ).save_pretrained(folder / "image_encoder")  # fmt: skip
    CLIPImageProcessor().save_pretrained(folder / "image_processor")
    return _tiny_wan(folder, in_channels=36, image_dim=32, added_kv_proj_dim=384)


def _tiny_wan(folder: Path, **more: int) -> Path:
    from diffusers import AutoencoderKLWan, WanTransformer3DModel
    from transformers import UMT5Config, UMT5EncoderModel

    torch.manual_seed(0)
    architecture = {"in_channels": 16, "out_channels": 16} | more
    WanTransformer3DModel(
        patch_size=(1, 2, 2), num_attention_heads=4, attention_head_dim=96, text_dim=32, freq_dim=32, ffn_dim=256,
        num_layers=2, cross_attn_norm=True, qk_norm="rms_norm_across_heads", rope_max_seq_len=32, **architecture,
    ).save_pretrained(folder / "transformer")  # fmt: skip
    AutoencoderKLWan(
        base_dim=3, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True]
    ).save_pretrained(folder / "vae")
    UMT5EncoderModel(UMT5Config(vocab_size=8, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4)).save_pretrained(
        folder / "text_encoder"
    )
    _tokenizer(folder / "tokenizer")
    return folder


def _tiny_animatediff(folder: Path) -> Path:
    from diffusers import AutoencoderKL, UNetMotionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    UNetMotionModel(
        block_out_channels=(64, 128), layers_per_block=1, cross_attention_dim=32, norm_num_groups=8,
        down_block_types=("CrossAttnDownBlockMotion", "DownBlockMotion"),
        up_block_types=("UpBlockMotion", "CrossAttnUpBlockMotion"),
        num_attention_heads=4, motion_num_attention_heads=4, motion_max_seq_length=16,
    ).save_pretrained(folder / "unet")  # fmt: skip
    AutoencoderKL(
        block_out_channels=(8, 8, 8, 8), norm_num_groups=4, latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
    ).save_pretrained(folder / "vae")  # fmt: skip
    CLIPTextModel(
        CLIPTextConfig(
            vocab_size=8, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
            max_position_embeddings=77, pad_token_id=0, bos_token_id=1, eos_token_id=1,
        )
    ).save_pretrained(folder / "text_encoder")  # fmt: skip
    _tokenizer(folder / "tokenizer", bos_token="</s>", model_max_length=77)
    return folder
