"""Whether what the small generator animates strikes when its sound does: events of generated films found by a detector.

Films of the evaluation split: looks, cameras and rhythms that no network was trained on. The sound of each animates the
first picture of its own film, and that of another film of the same scene, which cannot tell when the sound strikes.
Strikes that the detector finds in what came are compared with those of the sound, one to one, within one frame.
Controls: the same films against the sound's strikes 0.4 s later and against another film's sound (chance), the
generator without its adapter, and true films (what the detector itself is worth).
"""

import argparse
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.animation_grid import Shown, write_grid, write_sheet
from bench.result import Goal, Result, Row
from training.adapter.files import load_adapter
from training.animate.parts import adapter_folder, backbone_of, encoders_of, frozen_weights
from training.animate.sample import sample_latents
from training.animate.settings import SampleSettings
from training.backbones.drawn import VIDEO
from training.data.batches import padded
from training.encoders import open_encoder
from training.evaluate.events import detect_events
from training.evaluate.films import Frames, Times
from training.evaluate.metrics.matching import pairs
from training.world import SCENES, Film, FilmSpec, Split, draw, varied

SHIFT_S = 0.4
GOAL, GOAL_CONTROL = 0.7, 0.3
_AT_ONCE = 8
_APART = 1000
_WITH, _WITHOUT, _TRUE = "with the sound", "without sound", "true films"
_GIVEN, _LATER, _FOREIGN = "the sound", f"the sound {SHIFT_S} s later", "another film's sound"
_DRAWN_FPS = 24


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What this benchmark can be told."""
    from training.animate.shipped import shipped_adapter

    parser.add_argument("--run", type=Path, default=shipped_adapter(), help="a run's folder or its adapter's")
    parser.add_argument("--films", type=int, default=96, help="films of the evaluation split")
    parser.add_argument("--steps", type=int, default=None, help="steps of sampling")
    parser.add_argument("--audio-guidance", type=float, default=2.0, help="guidance by sound")
    parser.add_argument("--grid", type=Path, default=None, help="a WebP with six of the films, moving")
    parser.add_argument("--sheet", type=Path, default=None, help="a PNG with the frames of eight films")


class Picture(StrEnum):
    """Whose first frame is animated."""

    OWN = "its own film's"
    OTHER = "another film's"


@dataclass(frozen=True, slots=True)
class Counts:
    """Matches one to one within one frame, and their errors in seconds."""

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


def counted(found_s: Times, true_s: Times, *, fps: int) -> Counts:
    """Strikes found against true ones, one to one, within one frame."""
    matched = pairs(true_s, found_s, within_s=1 / fps, inclusive=True)
    errors = tuple(float(found_s[seen] - true_s[heard]) for heard, seen in matched)
    return Counts(len(found_s), len(true_s), errors)


def run(arguments: argparse.Namespace) -> Result:
    """Animate pictures with sounds, and count."""
    rows: list[Row] = []
    goals: list[Goal] = []
    for picture in Picture:
        made = animated(arguments, picture)
        if picture is Picture.OWN:
            shows = [Shown(one.with_sound, one.film.audio, one.film.events_s) for one in made]
            if arguments.grid:
                write_grid(arguments.grid, _one_of_each(shows, most=6), fps=VIDEO.fps, columns=3)
            if arguments.sheet:
                write_sheet(arguments.sheet, _one_of_each(shows, most=8), fps=VIDEO.fps)
        scores: dict[tuple[str, str], Counts] = {}
        for what, films in _shown(made, picture).items():
            found = [detect_events(frames, VIDEO.fps) for frames in films]
            for against, heard in _strikes(made).items():
                films_and_sounds = zip(found, heard, strict=True)
                counts = sum((counted(*both, fps=VIDEO.fps) for both in films_and_sounds), Counts())
                scores[what, against] = counts
                rows.append(_row(picture, what, against, counts))
        f1, shifted = scores[_WITH, _GIVEN].f1, scores[_WITH, _LATER].f1
        silent = scores[_WITHOUT, _GIVEN].f1
        goals += [
            Goal(f"event F1 within one frame, {picture}", f">= {GOAL}", f"{f1:.3f}", f1 >= GOAL),
            Goal(f"sound {SHIFT_S} s on, {picture}", f"<= {GOAL_CONTROL}", f"{shifted:.3f}", shifted <= GOAL_CONTROL),
            Goal(f"without sound, {picture}", f"<= {GOAL_CONTROL}", f"{silent:.3f}", silent <= GOAL_CONTROL),
        ]
    notes = [
        f"{arguments.films} drawn films of the evaluation split; the detector knows drawn strikes alone",
        f"against {_FOREIGN}: what chance is worth, with some three strikes in two seconds and a frame to either side",
    ]
    return Result(rows, goals, notes, packages=("torch", "diffusers"))


@dataclass(frozen=True, slots=True)
class Animated:
    """A sound's film, its frames at the generator's rate, and what came of a picture with that sound and without."""

    film: Film
    true: Frames
    with_sound: Frames
    without_sound: Frames


def _shown(made: list[Animated], picture: Picture) -> dict[str, list[Frames]]:
    shown = {_WITH: [one.with_sound for one in made], _WITHOUT: [one.without_sound for one in made]}
    return shown | ({_TRUE: [one.true for one in made]} if picture is Picture.OWN else {})


def _strikes(made: list[Animated]) -> dict[str, list[Times]]:
    """When sounds strike that a film may be held against; those of another film say what chance is worth."""
    given = [one.film.events_s for one in made]
    against = {_GIVEN: given, _LATER: [times + SHIFT_S for times in given], _FOREIGN: given[1:] + given[:1]}
    return {what: [_shown_ones(times) for times in sounds] for what, sounds in against.items()}


def _row(picture: Picture, what: str, against: str, counts: Counts) -> Row:
    error_ms = 1000 * float(np.median(np.abs(counts.errors_s))) if counts.errors_s else float("nan")
    return {
        "picture": picture,
        "films": what,
        "against": against,
        "F1": round(counts.f1, 3),
        "found": counts.found,
        "true": counts.true,
        "hits": counts.hits,
        "median error ms": round(error_ms, 1),
    }


@torch.no_grad()
def animated(arguments: argparse.Namespace, picture: Picture) -> list[Animated]:
    """Animate one picture with the sound of each film, and without."""
    folder = adapter_folder(arguments.run)
    saved = load_adapter(folder)
    backbone = backbone_of(saved)
    backbone.load_weights(frozen_weights(saved, folder, backbone))
    encoders = [open_encoder(config) for config in encoders_of(saved)]
    made = []
    for first in range(0, arguments.films, _AT_ONCE):
        numbers = range(first, min(first + _AT_ONCE, arguments.films))
        drawn = [_film(number, backbone.size_px[0], backbone.video.frames) for number in numbers]
        pictures = [frames[0] for _, frames in drawn]
        if picture is Picture.OTHER:
            pictures = [_film(_alike(n), backbone.size_px[0], 1)[1][0] for n in numbers]
        images = torch.stack([backbone.encode_image(one) for one in pictures])
        text = torch.stack([padded(backbone.encode_text(_caption(n)), backbone.text_tokens) for n in numbers])
        features: dict[str, Tensor] = {}
        for encoder in encoders:
            banks = [encoder.encode(film.audio, film.rate_hz) for film, _ in drawn]
            for layer in banks[0].layers:
                features[f"{encoder.name}/{layer}"] = torch.stack([bank.layers[layer] for bank in banks])
        outs = []
        for scale in (arguments.audio_guidance, 0.0):
            latents = sample_latents(
                backbone, saved.adapter, first=images, text=text, features=features,
                settings=SampleSettings(num_inference_steps=arguments.steps, audio_guidance_scale=scale, seed=first),
            )  # fmt: skip
            outs.append(
                [
                    backbone.decode_video(one, backbone.encode_condition(image))
                    for one, image in zip(latents, pictures, strict=True)
                ]
            )
        made += [Animated(film, true, heard, silent) for (film, true), heard, silent in zip(drawn, *outs, strict=True)]
    return made


def _alike(number: int) -> int:
    """Another film of the same scene."""
    other = number + _APART
    while _spec(other, 64).scene != _spec(number, 64).scene:
        other += 1
    return other


def _spec(number: int, size_px: int) -> FilmSpec:
    return varied(number, split=Split.EVALUATION, duration_s=2.0, fps=_DRAWN_FPS, height_px=size_px, width_px=size_px)


def _film(number: int, size_px: int, frames: int) -> tuple[Film, Frames]:
    film = draw(_spec(number, size_px))
    return film, film.frames[:: _DRAWN_FPS // VIDEO.fps][:frames]


def _one_of_each(shows: list[Shown], *, most: int) -> list[Shown]:
    """Some of them, the first of each scene."""
    scenes: dict[str, Shown] = {}
    for number, shown in enumerate(shows):
        scenes.setdefault(_spec(number, 64).scene, shown)
    return list(scenes.values())[:most]


def _caption(number: int) -> str:
    return SCENES[_spec(number, 64).scene].caption


def _shown_ones(times_s: Times) -> Times:
    """Strikes that a film of the generator can show: none in its first frame, which is given."""
    return times_s[(times_s > 1 / 24) & (times_s < 2.0 - 1 / 24)]
