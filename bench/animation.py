"""Whether what the small generator animates strikes when its sound does: events of generated films found by a detector.

The sounds of unseen drawn films animate the first picture of their own film, and that of another film
(`training.evaluate.strikes`). Controls: the same films against the sound's strikes 0.4 s later and against another
film's sound (chance), the generator without its adapter, and true films (what the detector itself is worth).
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.result import Goal, Result, Row
from training.backbones.drawn import VIDEO
from training.evaluate.films import Frames, Times
from training.evaluate.sheets import Shown, sheet, write_grid
from training.evaluate.strikes import Animated, Counts, Picture, animated, counted

SHIFT_S = 0.4
GOAL, GOAL_CONTROL = 0.7, 0.3
_WITH, _WITHOUT, _TRUE = "with the sound", "without sound", "true films"
_GIVEN, _LATER, _FOREIGN = "the sound", f"the sound {SHIFT_S} s later", "another film's sound"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What this benchmark can be told."""
    from training.animate.shipped import shipped_adapter

    parser.add_argument("--run", type=Path, default=shipped_adapter(), help="a run's folder or its adapter's")
    parser.add_argument("--films", type=int, default=96, help="films of the evaluation split")
    parser.add_argument("--steps", type=int, default=None, help="steps of sampling")
    parser.add_argument("--audio-guidance", type=float, default=2.0, help="guidance by sound")
    parser.add_argument("--grid", type=Path, default=None, help="a WebP with six of the films, moving")
    parser.add_argument("--sheet", type=Path, default=None, help="a PNG with the frames of eight films")


def run(arguments: argparse.Namespace) -> Result:
    """Animate pictures with sounds, and count."""
    rows: list[Row] = []
    goals: list[Goal] = []
    for picture in Picture:
        made, silent = (
            list(
                animated(
                    arguments.run,
                    range(arguments.films),
                    picture=picture,
                    audio_guidance=guidance,
                    steps=arguments.steps,
                )
            )
            for guidance in (arguments.audio_guidance, 0.0)
        )
        shown = {_WITH: [one.made for one in made], _WITHOUT: [one.made for one in silent]}
        if picture is Picture.OWN:
            shown[_TRUE] = [one.true for one in made]
            _draw(arguments, made)
        scores: dict[tuple[str, str], Counts] = {}
        for what, films in shown.items():
            for against, sounds in _sounds(made).items():
                counts = scores[what, against] = _total(films, sounds)
                rows.append(_row(picture, what, against, counts))
        f1, shifted = scores[_WITH, _GIVEN].f1, scores[_WITH, _LATER].f1
        alone = scores[_WITHOUT, _GIVEN].f1
        goals += [
            Goal(f"event F1 within one frame, {picture}", f">= {GOAL}", f"{f1:.3f}", f1 >= GOAL),
            Goal(f"sound {SHIFT_S} s on, {picture}", f"<= {GOAL_CONTROL}", f"{shifted:.3f}", shifted <= GOAL_CONTROL),
            Goal(f"without sound, {picture}", f"<= {GOAL_CONTROL}", f"{alone:.3f}", alone <= GOAL_CONTROL),
        ]
    notes = [
        f"{arguments.films} drawn films of the evaluation split; the detector knows drawn strikes alone",
        f"against {_FOREIGN}: what chance is worth, with some three strikes in two seconds and a frame to either side",
    ]
    return Result(rows, goals, notes, packages=("torch", "diffusers"))


def _sounds(made: Sequence[Animated]) -> dict[str, list[Times]]:
    """When sounds strike that a film may be held against; those of another film say what chance is worth."""
    given = [one.film.events_s for one in made]
    return {_GIVEN: given, _LATER: [times + SHIFT_S for times in given], _FOREIGN: given[1:] + given[:1]}


def _total(films: Sequence[Frames], sounds: Sequence[Times]) -> Counts:
    pairs = zip(films, sounds, strict=True)
    return sum((counted(frames, times, fps=VIDEO.fps) for frames, times in pairs), Counts())


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


def _draw(arguments: argparse.Namespace, made: Sequence[Animated]) -> None:
    """The first film of each scene, moving or frame by frame."""
    scenes: dict[str, Shown] = {}
    for one in made:
        scenes.setdefault(one.scene, Shown(one.made, one.film.audio, one.film.events_s))
    shows = list(scenes.values())
    if arguments.grid:
        write_grid(arguments.grid, shows[:6], fps=VIDEO.fps, columns=3)
    if arguments.sheet:
        arguments.sheet.parent.mkdir(parents=True, exist_ok=True)
        sheet(shows[:8], fps=VIDEO.fps).save(arguments.sheet)
