"""One video with a cell for each pair of guidance scales, to see what they do to one image and one sound."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.animate.animator import Animator, Pictures
from training.animate.make import Job, read_job
from training.animate.record import asked, write_record
from training.animate.sample import LEAST_HEIGHT_PX
from training.animate.settings import SampleSettings
from training.data.mux import write_video
from training.progress import Progress, part_of

_LABEL_PX, _BLOCK = 24, 32


def write_grid(
    animator: Animator,
    job: Job,
    *,
    audio_scales: Sequence[float],
    word_scales: Sequence[float] = (),
    progress: Progress | None = None,
) -> Path:
    """Write a grid: guidance by sound from left to right, guidance by words from top to bottom; all of one seed.

    Without `word_scales` there is one row, as the job's settings have it. Returns `job.out`; a record lies beside it.
    """
    request, track = read_job(animator, job)
    rows = tuple(word_scales) or (job.settings.guidance_scale,)
    cells = [
        replace(job.settings, guidance_scale=words, audio_guidance_scale=audio)
        for words in rows
        for audio in audio_scales
    ]
    frames, fps = animator.plan(request).frames, animator.backbone.video.fps
    height, width = animator.backbone.size_px
    # On the disk: cells of a long sound would not fit into memory beside each other.
    with tempfile.TemporaryDirectory() as folder:
        made = np.lib.format.open_memmap(
            Path(folder) / "cells.npy", mode="w+", dtype=np.uint8, shape=(len(cells), frames, height, width, 3)
        )
        for number, settings in enumerate(cells):
            at = 0
            share = part_of(progress, number, len(cells), f"cell {number + 1} of {len(cells)}")
            for block in animator.frames(replace(request, settings=settings), progress=share):
                made[number, at : at + len(block)] = block
                at += len(block)
        labels = [_label(one, animator) for one in cells]
        write_video(job.out, _tiled(made, labels, columns=len(audio_scales)), fps=fps, track=track, height_px=1)
        del made
    facts = asked(animator, image=job.image, sound=job.sound, caption=job.caption, settings=job.settings)
    write_record(job.out, facts, {"grid": {"audio_guidance_scale": list(audio_scales), "guidance_scale": list(rows)}})
    return job.out


def _tiled(cells: NDArray[np.uint8], labels: Sequence[str], *, columns: int) -> Iterator[Pictures]:
    """(cells, frames, h, w, 3) -> blocks of whole pictures, each cell enlarged, its label below it."""
    _, frames, height, width, _ = cells.shape
    factor = max(-(-LEAST_HEIGHT_PX // height), 1)
    strips = [_strip(text, width * factor) for text in labels]
    for start in range(0, frames, _BLOCK):
        tiles = []
        for cell, strip in zip(cells[:, start : start + _BLOCK], strips, strict=True):
            large = cell.repeat(factor, axis=1).repeat(factor, axis=2)
            tiles.append(np.concatenate([large, np.broadcast_to(strip, (len(large), *strip.shape))], axis=1))
        lines = [np.concatenate(tiles[first : first + columns], axis=2) for first in range(0, len(tiles), columns)]
        yield np.concatenate(lines, axis=1)


def _strip(text: str, width: int) -> Pictures:
    """(24, width, 3) a label in white on black."""
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.new("RGB", (width, _LABEL_PX))
    ImageDraw.Draw(picture).text((6, 4), text, fill="white", font=ImageFont.load_default(14))
    return np.asarray(picture)


def _label(settings: SampleSettings, animator: Animator) -> str:
    words = animator.backbone.usual_guidance if settings.guidance_scale is None else settings.guidance_scale
    return f"sound {settings.audio_guidance_scale:g}   words {words:g}"
