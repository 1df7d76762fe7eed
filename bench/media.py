"""Files that benchmarks measure on: those that are named, else the corpus, else films that are drawn on the spot."""

import os
from collections.abc import Sequence
from pathlib import Path

SUFFIXES = (".mp4", ".mkv", ".webm", ".mov", ".avi", ".ts")


def corpus() -> Path | None:
    """`$CLAPBOARD_CORPUS`, or `shared/corpus` beside the checkout; None where neither is there."""
    named = os.environ.get("CLAPBOARD_CORPUS")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "corpus"
    return folder if folder.is_dir() else None


def media_files(files: Sequence[Path], *, folder: str = "real") -> list[Path]:
    """The named files (folders: all media in them), else those of the corpus's `folder`, in order of name."""
    if not files:
        root = corpus()
        files = [root / folder] if root else []
    found = [path for one in files for path in (sorted(one.iterdir()) if one.is_dir() else [one])]
    return [path for path in found if path.suffix.lower() in SUFFIXES]
