"""Videos as the classifier sees them: features of whole films, in memory or in one file for the next time."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from shards.errors import BadInput
from shards.reader import read_samples
from shards.snapshot import open_snapshot
from shards.synchrony.features import PICTURE_HZ, RATE_HZ, SOUND_HZ, Floats, picture_features, sound_features
from training.media import read_cells, read_sound
from training.seeds import numpy_generator

SHORTER = "take longer clips, or a shorter --set duration_s=SECONDS"


@dataclass(frozen=True, slots=True)
class SyncVideo:
    """Features of one video, picture and sound beginning at the same instant.

    Attributes:
        picture: (2, steps, 12, 12) float32, see `picture_features`.
        sound: (4 x steps, 40) float32, see `sound_features`.
    """

    picture: Floats
    sound: Floats


def video_features(mp4: bytes, *, duration_s: float) -> SyncVideo:
    """The first `duration_s` of an encoded video.

    Raises:
        BadInput: it is shorter, or cannot be decoded.
    """
    frame_us, cells = read_cells(mp4)
    steps = round(duration_s * PICTURE_HZ)
    if len(frame_us) < 2 or frame_us[-1] + 1_000_000 / PICTURE_HZ < duration_s * 1e6 - 100_000:
        raise BadInput(f"a video of less than {duration_s:g} s", remedy=SHORTER)
    waveform, _ = read_sound(mp4, rate_hz=RATE_HZ)
    samples = np.resize(np.append(waveform, np.zeros(round(duration_s * RATE_HZ), np.float32)), steps * RATE_HZ // 25)
    return SyncVideo(
        picture_features(cells, frame_us, start_us=0, steps=steps),
        sound_features(samples)[: steps * SOUND_HZ // PICTURE_HZ],
    )


def drawn_videos(count: int, *, seed: int, duration_s: float, workers: int) -> list[SyncVideo]:
    """Drawn films of every scene in turn, encoded and decoded; half of them shaken, with a loud room."""
    jobs = [(seed, number, duration_s) for number in range(count)]
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(_drawn, jobs, chunksize=8))


def snapshot_videos(root: Path, name: str, *, duration_s: float) -> list[SyncVideo]:
    """The clips of a snapshot that are long enough.

    Raises:
        SnapshotError: there is no such snapshot.
        BadInput: none of its clips is long enough.
    """
    found = []
    for record in read_samples(open_snapshot(root, name)):
        if record.meta["end_us"] - record.meta["start_us"] >= duration_s * 1e6:
            found.append(video_features(record.mp4, duration_s=duration_s))
    if not found:
        raise BadInput(f"no clip of {name} lasts {duration_s:g} s", remedy=SHORTER)
    return found


def some(videos: Sequence[SyncVideo]) -> Sequence[SyncVideo]:
    """The videos to learn from, where there are any.

    Raises:
        BadInput: there is none.
    """
    if not videos:
        raise BadInput(
            "there is no video to learn from", remedy="--set films=N or --set imagined=N above 0, or --snapshot NAME"
        )
    return videos


def augmented(video: SyncVideo, *, seed: int, counter: int) -> SyncVideo:
    """The same events seen and heard otherwise: mirrored, turned, dimmed; another room, other tones, noise."""
    random = numpy_generator(seed, "sync augmentation", counter)
    picture: NDArray[np.floating] = video.picture
    if random.random() < 0.5:
        picture = picture[..., ::-1]
    if random.random() < 0.5:
        picture = np.swapaxes(picture, -1, -2)
    picture = picture * random.uniform(0.6, 1.4) + random.normal(0, 0.1, picture.shape)
    bands = np.exp(np.interp(np.arange(40), [0, 13, 26, 39], random.normal(0, 0.4, 4)))
    sound = video.sound * bands * random.uniform(0.7, 1.3) + np.abs(random.normal(0, 0.1, video.sound.shape))
    return SyncVideo(np.ascontiguousarray(picture, np.float32), sound.astype(np.float32))


def batches(videos: Sequence[SyncVideo], *, size: int, steps: int, seed: int) -> Iterator[tuple[int, Floats, Floats]]:
    """`steps` batches: (step, (videos, 2, steps, 12, 12), (videos, 4 x steps, 40)), a function of `seed` alone."""
    for step in range(steps):
        chosen = numpy_generator(seed, "sync batch", step).integers(len(videos), size=size)
        made = [augmented(videos[at], seed=seed, counter=step * size + place) for place, at in enumerate(chosen)]
        yield step, np.stack([one.picture for one in made]), np.stack([one.sound for one in made])


def _drawn(job: tuple[int, int, float]) -> SyncVideo:
    from training.world import SCENES, FilmSpec, draw, write_film

    seed, number, duration_s = job
    random = numpy_generator(seed, "sync film", number)
    shaky = number // len(SCENES) % 2 == 1
    spec = FilmSpec(
        scene=list(SCENES)[number % len(SCENES)],
        seed=int(random.integers(1 << 30)),
        duration_s=duration_s,
        width_px=96,
        height_px=96,
        camera_shake_px=float(random.uniform(0.5, 3.0)) if shaky else 0.0,
        background_noise=float(random.uniform(0.002, 0.03)) if shaky else 0.002,
    )
    with TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        write_film(draw(spec), path)
        return video_features(path.read_bytes(), duration_s=duration_s)
