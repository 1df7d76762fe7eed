"""A tiny published snapshot of flashes that light up exactly at clicks: whoever listens knows when to flash."""

import io
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from shards.publishing import publish
from shards.schema import Blob, ClipRecord, Sample
from shards.snapshot import Snapshot

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
def auto_snapshot(snapshots_root) -> Snapshot:
    from shards.snapshot import open_snapshot

    return open_snapshot(snapshots_root, "auto")
