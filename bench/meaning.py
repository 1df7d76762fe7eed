"""What the meaning scores are worth: real clips with their own words against the same clips with other clips' words.

Measured with every model that is here: the offline preset's, which ships inside packages, and CLIP and CLAP where their
weights were fetched.
"""

import argparse
import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from bench.media import corpus
from bench.result import Goal, Result, Row
from bench.stats import auc, auc_interval
from curation.encoders.semantics import Semantics
from curation.encoders.settings import ImageModel, SemanticSettings, SoundModel
from curation.media.analyse import analyse
from curation.media.timeline import Timeline, Window
from curation.scores.clap import ClapScore
from curation.scores.clip import ClipScore
from shards.errors import BadInput, Unavailable

Captioned = tuple[Timeline, str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many clips."""
    parser.add_argument("--clips", type=int, default=1000, help="most clips of the corpus that are compared")


def run(options: argparse.Namespace) -> Result:
    """Measure every model that is here on the corpus.

    Raises:
        BadInput: there is no corpus.
    """
    root = corpus()
    if root is None:
        raise BadInput("there is no corpus of captioned clips here", remedy="name one with CLAPBOARD_CORPUS")
    clips = list(islice(_clips(root), options.clips))
    rows, goals, lacking = list[Row](), list[Goal](), list[str]()
    for name, settings, score, column in (
        ("pictures, offline preset", SemanticSettings(image_model=ImageModel.OFFLINE), ClipScore, "image_text_min"),
        ("pictures, CLIP", SemanticSettings(), ClipScore, "image_text_min"),
        ("sounds, laion-clap", SemanticSettings(), ClapScore, "audio_text_min"),
        (
            "sounds, transformers",
            SemanticSettings(sound_model=SoundModel.TRANSFORMERS_CLAP),
            ClapScore,
            "audio_text_min",
        ),
    ):
        semantics = Semantics(settings)
        scorer = score(semantics)
        try:
            scorer.check()
        except Unavailable as lack:
            lacking.append(f"{name}: not measured, {lack.message}")
            continue
        right, others = _compared(scorer, semantics, clips, column)
        wrong = np.concatenate(others)
        first = np.mean([own > other.max() for own, other in zip(right, others, strict=True)])
        low, high = auc_interval(right, wrong)
        rows.append(
            {
                "model": name,
                "clips": len(clips),
                "AUC": f"{auc(right, wrong):.3f} [{low:.3f}, {high:.3f}]",
                "own words, median": round(float(np.median(right)), 3),
                "other words, median": round(float(np.median(wrong)), 3),
                "own words best of all": f"{first:.0%}",
            }
        )
        goals.append(Goal(f"{name}: AUC", "> 0.7", f"{auc(right, wrong):.3f}", auc(right, wrong) > 0.7))
    return Result(rows=rows, goals=goals, notes=lacking, packages=("torch", "transformers", "open-clip-torch"))


def _clips(root: Path) -> Iterator[Captioned]:
    with (root / "corpus.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["picture_matches_sound"] == "yes" and row["caption"]:
                yield analyse(root / row["file"]), row["caption"]


def _compared(
    score: ClipScore | ClapScore, semantics: Semantics, clips: list[Captioned], column: str
) -> tuple[np.ndarray, list[np.ndarray]]:
    """The column of each clip with its own words, and of each clip with every other caption."""
    words = [caption for _, caption in clips]
    right, wrong = [], []
    for line, own in clips:
        picture = semantics.picture_track(line) if isinstance(score, ClipScore) else None
        sound = semantics.sound_track(line) if isinstance(score, ClapScore) else None
        one, *others = score.score(
            [Window(line, 0, line.duration_us, text, picture, sound) for text in (own, *(w for w in words if w != own))]
        )
        right.append(one[column])
        wrong.append(np.array([other[column] for other in others]))
    return np.array(right), wrong
