"""What the page does with what people give it: one video at a time, each in a folder of its own."""

import secrets
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from shards.errors import BadInput
from training.animate.animator import Animator
from training.animate.make import Job, Made, make_video
from training.animate.page.curves import curves_svg
from training.animate.settings import SampleSettings
from training.data.media import read_image, read_sound
from training.progress import Progress

LONGEST_S = 60.0
"""Strangers' sounds: a minute keeps the queue moving [ours]."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page shows of a video: the MP4, its record, its first frame as PNG, a title, and its curves as SVG."""

    video: Path
    record: Path
    poster: Path
    title: str
    curves: str


class Studio:
    """Makes videos below a folder; whoever calls it waits for the others.

    Args:
        animator: makes them.
        folder: where they lie.
        longest_s: sounds beyond it are refused.
    """

    def __init__(self, animator: Animator, folder: Path, *, longest_s: float = LONGEST_S) -> None:
        self.animator, self.folder, self._longest_s = animator, folder, longest_s

    def make(
        self,
        image: Path | None,
        sound: Path | None,
        *,
        caption: str = "",
        settings: SampleSettings,
        progress: Progress | None = None,
    ) -> Shown:
        """Make one video of uploaded files.

        Raises:
            BadInput: a file is missing or cannot be used, or the sound is too long for the page.
        """
        if image is None or sound is None:
            missing = "image" if image is None else "sound"
            raise BadInput(f"there is no {missing} yet", remedy=f"drop an {missing}, or pick an example")
        waveform, rate_hz = read_sound(sound)
        if len(waveform) > self._longest_s * rate_hz:
            raise BadInput(
                f"the sound lasts {len(waveform) / rate_hz:.0f} s, and this page takes {self._longest_s:g} s",
                remedy="cut it, or run `clapboard animate` on the command line, which takes any length",
            )
        out = self.folder / secrets.token_hex(8) / "animation.mp4"
        made: Made = make_video(self.animator, Job(image, sound, out, caption, settings), progress=progress)
        poster = out.with_suffix(".png")
        Image.fromarray(read_image(made.out, size_px=self.animator.backbone.size_px)).save(poster)
        title = f"seed {settings.seed}, sound {settings.audio_guidance_scale:g}"
        return Shown(made.out, made.record, poster, title, curves_svg(waveform, rate_hz, made.changes, made.fps))
