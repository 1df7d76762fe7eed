"""How much of CLIP's and CLAP's bare speed is left inside curation: pictures and sounds a second, in pairs of runs.

Models have their true size and random weights, which take as long as trained ones. Bare is the model's forward pass on
a batch that is ready; in the pipeline videos come from several threads at once, and preparing, batching, resampling and
keeping count too.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.result import Goal, Result, Row, device_name
from curation.encoders.base import best_device, half_on_gpu
from curation.encoders.laion_clap import BATCH as SOUND_BATCH
from curation.encoders.laion_clap import VOCABULARY, LaionClapEncoder
from curation.encoders.open_clip import BATCH as PICTURE_BATCH
from curation.encoders.open_clip import MODEL, OpenClipEncoder
from curation.encoders.semantics import Semantics
from curation.media.embeddings import EmbeddingStore
from curation.media.settings import AnalysisSettings
from curation.media.timeline import Timeline
from curation.scores.base import Need
from curation.steps.tracks import TrackMaker

RATE_HZ = 16_000
THUMBS_A_SECOND = 4
PICTURE_PX = 224
WANTED = 0.90


@dataclass(frozen=True, slots=True)
class _Subject:
    """A model, how curation calls it, and its forward pass on a ready batch of `size`."""

    name: str
    semantics: Semantics
    need: Need
    size: int
    forward: Callable[[], object]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How much is embedded."""
    parser.add_argument("--videos", type=int, default=16, help="videos of a run")
    parser.add_argument("--seconds", type=int, default=8, help="length of a video")
    parser.add_argument("--threads", type=int, default=4, help="that embed videos at the same time")
    parser.add_argument("--repeats", type=int, default=3, help="pairs of runs; the middle ratio counts")


def run(options: argparse.Namespace) -> Result:
    """Measure both models, bare and in the pipeline by turns."""
    lines = [_video(number, options.seconds) for number in range(options.videos)]
    rows: list[Row] = []
    goals: list[Goal] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for subject in (_clip(folder), _clap(folder)):
            maker = TrackMaker(EmbeddingStore(folder / "kept"), subject.semantics, AnalysisSettings())
            # The first run loads code and warms caches; it also counts the samples.
            samples = len(maker.make("first", lines[0], {subject.need})[subject.need].embeddings) * len(lines)
            subject.forward()
            bare, piped = [], []
            for _ in range(options.repeats):
                bare.append(_bare(subject, samples))
                piped.append(samples / _seconds_in_pipeline(maker, subject.need, lines, options.threads))
            ratio = statistics.median(one / other for one, other in zip(piped, bare, strict=True))
            rows.append(
                {
                    "model": subject.name,
                    "samples a run": samples,
                    "bare, samples/s": round(statistics.median(bare), 1),
                    "in pipeline, samples/s": round(statistics.median(piped), 1),
                    "ratio": round(ratio, 3),
                }
            )
            met = ratio >= WANTED
            goals.append(
                Goal(f"{subject.name}: in the pipeline, of the bare speed", f">= {WANTED}", f"{ratio:.3f}", met)
            )
    notes = [
        f"on {device_name(best_device())}; {options.videos} videos of {options.seconds} s in {options.threads} threads",
        f"batches of {PICTURE_BATCH} pictures and of {SOUND_BATCH} sounds; a picture is a thumbnail of 112 px",
    ]
    return Result(
        rows=rows,
        goals=goals,
        notes=notes,
        packages=("torch", "open-clip-torch", "laion-clap", "numpy"),
        variant="" if best_device() == "cpu" else "gpu",
    )


def _bare(subject: _Subject, samples: int) -> float:
    begun, done = time.perf_counter(), 0
    while done < samples:
        subject.forward()
        done += subject.size
    return done / (time.perf_counter() - begun)


def _seconds_in_pipeline(maker: TrackMaker, need: Need, lines: Sequence[Timeline], threads: int) -> float:
    begun = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda at: maker.make(str(at), lines[at], {need}), range(len(lines))))
    return time.perf_counter() - begun


def _clip(folder: Path) -> _Subject:
    import open_clip
    import torch
    from safetensors.torch import save_file

    device = best_device()
    made = open_clip.create_model(MODEL, pretrained=None)
    weights = folder / "open_clip_model.safetensors"
    save_file({name: value.contiguous() for name, value in made.state_dict().items()}, weights)
    made = made.eval().to(device)
    pixels = torch.randn(PICTURE_BATCH, 3, PICTURE_PX, PICTURE_PX)

    def forward() -> object:
        with torch.inference_mode(), half_on_gpu(device):
            return made.encode_image(pixels.to(device), normalize=True).float().cpu()

    return _Subject(
        f"CLIP {MODEL}", Semantics(images=OpenClipEncoder(weights)), Need.PICTURE_TRACK, PICTURE_BATCH, forward
    )


def _clap(folder: Path) -> _Subject:
    import torch

    # A tokenizer of the right size and no sense: no word is asked for here.
    (folder / "vocab.json").write_text(
        json.dumps(
            {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<mask>": 4} | {f"w{n}": n for n in range(5, VOCABULARY)}
        )
    )
    (folder / "merges.txt").write_text("#version: 0.2\n")
    encoder = LaionClapEncoder(folder, checkpoint=None)
    sounds = np.random.default_rng(0).normal(0, 0.1, (SOUND_BATCH, 2 * encoder.rate_hz)).astype(np.float32)

    def forward() -> object:
        with torch.inference_mode(), half_on_gpu(best_device()):
            return encoder.module.get_audio_embedding_from_data(sounds)

    return _Subject("CLAP HTSAT-tiny", Semantics(sounds=encoder), Need.SOUND_TRACK, SOUND_BATCH, forward)


def _video(seed: int, seconds: int) -> Timeline:
    random = np.random.default_rng(seed)
    frames = THUMBS_A_SECOND * seconds
    at_us = np.arange(frames, dtype=np.int64) * (1_000_000 // THUMBS_A_SECOND)
    return Timeline(
        width_px=320,
        height_px=240,
        duration_us=seconds * 1_000_000,
        frame_us=at_us,
        luma=np.zeros(frames, np.float32),
        motion=np.zeros(frames, np.float32),
        colour_change=np.zeros(frames, np.float32),
        thumb_us=at_us,
        thumbs=random.integers(0, 255, (frames, 84, 112, 3), dtype=np.uint8),
        audio_start_us=0,
        rate_hz=RATE_HZ,
        waveform=random.normal(0, 0.1, seconds * RATE_HZ).astype(np.float32),
    )
