"""A published snapshot of drawn films, sound and strikes together: what training benchmarks learn from."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from curation.media.encode import encode_flac
from shards.publishing import publish
from shards.schema import Blob, ClipRecord, Sample


def drawn_snapshot(root: Path, name: str, *, films: int, seconds: float, seed: int, workers: int = 2) -> None:
    """Publish `films` films of every scene in turn under `root`, each a clip of its own source video."""
    jobs = [(number, seconds, seed) for number in range(films)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        made = pool.map(_clip, jobs, chunksize=4)
        publish(root, name, [Sample(record, Blob.of(mp4), Blob.of(flac)) for record, mp4, flac in made], recipe={})


def _clip(job: tuple[int, float, int]) -> tuple[ClipRecord, bytes, bytes]:
    from training.world import SCENES, FilmSpec, draw, write_film

    number, seconds, seed = job
    scene = list(SCENES)[number % len(SCENES)]
    spec = FilmSpec(scene=scene, seed=seed + number, duration_s=seconds, width_px=96, height_px=96)
    film = draw(spec)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        write_film(film, path)
        mp4 = path.read_bytes()
    sound = (film.audio * np.iinfo(np.int16).max).astype(np.int16)
    words = scene.replace("_", " ")
    record = ClipRecord(
        key=f"{number:08x}", video_id=f"film-{number}", link=f"https://example.org/{number}.mp4", video_sha256="0" * 64,
        licence="CC0-1.0", start_us=0, end_us=round(seconds * 1e6), caption=words, label=words, frames=len(film.frames),
        width_px=96, height_px=96, rate_hz=film.rate_hz, band="accept", reasons=(), p_good=1.0,
    )  # fmt: skip
    return record, mp4, encode_flac(sound[None], film.rate_hz)
