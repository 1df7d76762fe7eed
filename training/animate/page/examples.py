"""Images and sounds to begin with, drawn on the spot: first frames of drawn films, and the sounds of their events."""

from pathlib import Path

import numpy as np

from training.world import SCENES, FilmSpec, draw

CHOSEN = ("hammering_anvil", "bouncing_ball", "ringing_bell")
_SEED = 990_017
_SECONDS = 2.0


def write_examples(folder: Path) -> list[tuple[Path, Path, str]]:
    """Image, sound and caption of each; what lies there is kept."""
    return [_example(folder, name) for name in CHOSEN]


def _example(folder: Path, name: str) -> tuple[Path, Path, str]:
    import av
    from scipy.io import wavfile

    image, sound = folder / f"{name}.png", folder / f"{name}.wav"
    if not image.is_file() or not sound.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        film = draw(FilmSpec(scene=name, seed=_SEED, duration_s=_SECONDS))
        av.VideoFrame.from_ndarray(film.frames[0], format="rgb24").save(str(image))
        wavfile.write(sound, film.rate_hz, np.round(film.audio * 32767).astype(np.int16))
    return image, sound, SCENES[name].caption
