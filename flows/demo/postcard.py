"""The image and the sound that the demo animates: a film that nobody trained on, its first frame and its strikes."""

import json
from pathlib import Path

from shards.files import write_atomic
from training.world import SCENES, FilmSpec, draw

SCENE = "hammering_anvil"
SEED = 990_008
"""Its first frame shows the hammer raised."""
SECONDS = 2.0


def animate_postcard(folder: Path, trained: Path) -> tuple[Path, bool]:
    """Draw the image and the sound, animate them with a trained run; returns the MP4 and whether it was made now."""
    out, note = folder / "animation.mp4", folder / "made-by.json"
    made_by = json.dumps({"run": trained.name, "stage": trained.parent.name, "seed": SEED}).encode()
    if out.is_file() and note.is_file() and note.read_bytes() == made_by:
        return out, False
    from training.animate.make import animate

    image, sound = write_postcard(folder)
    animate(trained, image=image, sound=sound, out=out, caption=SCENES[SCENE].caption)
    write_atomic(note, made_by)
    return out, True


def write_postcard(folder: Path) -> tuple[Path, Path]:
    """Write `image.png` and `sound.wav` into `folder`."""
    import av
    import numpy as np
    from scipy.io import wavfile

    folder.mkdir(parents=True, exist_ok=True)
    film = draw(FilmSpec(scene=SCENE, seed=SEED, duration_s=SECONDS))
    image, sound = folder / "image.png", folder / "sound.wav"
    av.VideoFrame.from_ndarray(film.frames[0], format="rgb24").save(str(image))
    wavfile.write(sound, film.rate_hz, np.round(film.audio * 32767).astype(np.int16))
    return image, sound
