"""The world at its fullest: a scene, its dressing, its camera and its noise drawn at random from a number.

Films for training and films for evaluation never share a seed: even ones are for training, odd ones for evaluation
[ours].
"""

from collections.abc import Sequence
from enum import StrEnum

from shards.errors import BadInput
from training.world.events import generator
from training.world.film import FilmSpec
from training.world.scenes import SCENES

PLAIN_SHARE = 0.25
"""How often texture and lamp are left out, each on its own; the camera is steady, and stands, as often."""
MOST_DISTRACTORS = 3
SHAKE_SHARE, PAN_SHARE = 0.02, 0.07
"""Largest displacement by shake and pan, of the picture's shorter side."""
NOISE = (0.001, 0.015)


class Split(StrEnum):
    """What a film is for."""

    TRAIN = "train"
    EVALUATION = "evaluation"


def film_seed(number: int, *, split: Split) -> int:
    """The seed of the `number`-th film of a split; no seed belongs to both.

    Raises:
        BadInput: a negative number.
    """
    if number < 0:
        raise BadInput(f"there is no film {number}", remedy="count films from 0")
    return 2 * number + (split is Split.EVALUATION)


def varied(
    number: int,
    *,
    split: Split,
    duration_s: float = 2.0,
    fps: int = 24,
    height_px: int = 64,
    width_px: int = 64,
    rate_hz: int = 16_000,
    scenes: Sequence[str] = tuple(SCENES),
) -> FilmSpec:
    """A specification in which everything but the format is drawn at random; picture and sound agree.

    Args:
        number: which film of the split, from 0; together with the split it decides everything.
        split: what the film is for.
        duration_s, fps, height_px, width_px, rate_hz: the format. Of one film, a longer or larger version shows the
            same scene, colours and dressing, at other times.
        scenes: names to choose from.
    """
    seed = film_seed(number, split=split)
    random = generator(seed, "catalogue")
    side_px = min(height_px, width_px)
    scene = scenes[int(random.integers(len(scenes)))]
    texture, lamp, pan, shake = random.uniform(size=4) * (random.uniform(size=4) >= PLAIN_SHARE)
    return FilmSpec(
        scene=scene,
        seed=seed,
        duration_s=duration_s,
        width_px=width_px,
        height_px=height_px,
        fps=fps,
        rate_hz=rate_hz,
        camera_shake_px=float(shake * SHAKE_SHARE * side_px),
        background_noise=float(NOISE[0] * (NOISE[1] / NOISE[0]) ** random.uniform()),
        texture=float(texture),
        lamp=float(lamp),
        pan_px=float(pan * PAN_SHARE * side_px),
        distractors=int(random.integers(MOST_DISTRACTORS + 1)),
    )
