"""Do generated films strike when their sound does? Strikes found by a detector, held against those of drawn sounds.

Films of the evaluation split: looks, cameras and rhythms that no network was trained on. A sound animates the first
picture of its own film, or that of another film of the same scene, which cannot tell when the sound strikes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.adapter.files import load_adapter
from training.animate.parts import adapter_folder, backbone_of, encoders_of, frozen_weights
from training.animate.sample import sample_latents
from training.animate.settings import SampleSettings
from training.data.batches import padded
from training.encoders import open_encoder
from training.evaluate.events import detect_events
from training.evaluate.films import Frames, Times
from training.evaluate.metrics.matching import pairs
from training.world import SCENES, Film, FilmSpec, Split, draw, varied

SECONDS, DRAWN_FPS = 2.0, 24
_AT_ONCE = 8
_APART = 1000


class Picture(StrEnum):
    """Whose first frame is animated."""

    OWN = "its own film's"
    OTHER = "another film's"


@dataclass(frozen=True, slots=True)
class Animated:
    """A sound's film and its frames at the generator's rate; what came of a picture with that sound."""

    film: Film
    scene: str
    true: Frames
    made: Frames


@dataclass(frozen=True, slots=True)
class Counts:
    """Strikes that were found, those of the sounds, and pairs of both within one frame with their errors in seconds."""

    found: int = 0
    true: int = 0
    errors_s: tuple[float, ...] = ()

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.found + other.found, self.true + other.true, self.errors_s + other.errors_s)

    @property
    def hits(self) -> int:
        """Pairs."""
        return len(self.errors_s)

    @property
    def f1(self) -> float:
        """2 hits / (found + true)."""
        return 2 * self.hits / max(self.found + self.true, 1)


def counted(frames: Frames, sounds_s: Times, *, fps: int) -> Counts:
    """Strikes seen in frames against times of sounds, one to one, within one frame."""
    found, true = detect_events(frames, fps), shown_ones(sounds_s)
    matched = pairs(true, found, within_s=1 / fps, inclusive=True)
    return Counts(len(found), len(true), tuple(float(found[seen] - true[heard]) for heard, seen in matched))


def shown_ones(times_s: Times) -> NDArray[np.float64]:
    """Strikes that a film of the generator can show: none in its first frame, which is given."""
    return times_s[(times_s > 1 / DRAWN_FPS) & (times_s < SECONDS - 1 / DRAWN_FPS)]


@torch.no_grad()
def animated(
    run: Path,
    numbers: Sequence[int],
    *,
    picture: Picture = Picture.OWN,
    audio_guidance: float,
    steps: int | None = None,
) -> Iterator[Animated]:
    """Animate a picture with the sound of each film that is numbered; 0 guidance by sound is the generator alone.

    Raises:
        BadInput: the folder holds no finished run.
        Unavailable: the generator's weights are not here.
    """
    folder = adapter_folder(run)
    saved = load_adapter(folder)
    backbone = backbone_of(saved)
    backbone.load_weights(frozen_weights(saved, folder, backbone))
    encoders = [open_encoder(config) for config in encoders_of(saved)]
    fps, count, size_px = backbone.video.fps, backbone.video.frames, backbone.size_px[0]

    def film(number: int) -> tuple[Film, Frames]:
        whole = draw(spec_of(number, size_px))
        return whole, whole.frames[:: DRAWN_FPS // fps][:count]

    for first in range(0, len(numbers), _AT_ONCE):
        some = numbers[first : first + _AT_ONCE]
        films = [film(number) for number in some]
        pictures = [frames[0] for _, frames in films]
        if picture is Picture.OTHER:
            pictures = [film(_alike(number))[1][0] for number in some]
        captions = [SCENES[spec_of(number, size_px).scene].caption for number in some]
        features: dict[str, Tensor] = {}
        for encoder in encoders:
            banks = [encoder.encode(one.audio, one.rate_hz) for one, _ in films]
            for layer in banks[0].layers:
                features[f"{encoder.name}/{layer}"] = torch.stack([bank.layers[layer] for bank in banks])
        latents = sample_latents(
            backbone,
            saved.adapter,
            first=torch.stack([backbone.encode_image(one) for one in pictures]),
            text=torch.stack([padded(backbone.encode_text(one), backbone.text_tokens) for one in captions]),
            features=features,
            settings=SampleSettings(steps, audio_guidance, seed=some[0]),
        )
        for number, (one, true), image, rows in zip(some, films, pictures, latents, strict=True):
            made = backbone.decode_video(rows, backbone.encode_condition(image))
            yield Animated(one, spec_of(number, size_px).scene, true, made)


def spec_of(number: int, size_px: int) -> FilmSpec:
    """A film of the evaluation split."""
    return varied(
        number, split=Split.EVALUATION, duration_s=SECONDS, fps=DRAWN_FPS, height_px=size_px, width_px=size_px
    )


def _alike(number: int) -> int:
    """Another film of the same scene."""
    other = number + _APART
    while spec_of(other, 64).scene != spec_of(number, 64).scene:
        other += 1
    return other
