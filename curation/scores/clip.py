"""Does the picture show what the words say, and does its meaning jump? Through CLIP [pred, with CLIP for ImageBind]."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from curation.encoders.semantics import Semantics
from curation.media.timeline import Window
from curation.scores.base import Columns, Evidence, Need

TEXT_FRAMES = 3


class ClipScore:
    """`image_text_min`: least cosine of three frames with the words. `image_jump_max`: largest L2 step of neighbours.

    Frames are the thumbnails of the analysis, four a second, so that windows that overlap share them; the predecessor
    takes ten of three seconds.
    """

    name = "clip"
    version = 2
    needs = frozenset({Need.PICTURE_TRACK, Need.TEXT})
    columns = ("image_text_min", "image_jump_max")
    evidence = Evidence.MEANING
    trends: ClassVar[Mapping[str, int]] = {"image_text_min": 1}

    def __init__(self, semantics: Semantics | None = None) -> None:
        self._semantics = semantics or Semantics()

    @property
    def settings(self) -> str:
        """The model and the template."""
        return self._semantics.settings_key("picture")

    def check(self) -> None:
        """Raise `Unavailable` where the weights are absent."""
        self._semantics.check_images()

    def score(self, batch: Sequence[Window]) -> list[Columns]:
        """One entry per window; without words `image_text_min` is NaN, without two frames the jump."""
        spoken = [window.text for window in batch if window.text]
        words = dict(zip(spoken, self._semantics.picture_words(spoken), strict=True)) if spoken else {}
        found: list[Columns] = []
        for window in batch:
            track = window.picture_track
            assert track is not None
            frames = track.nearest(window.centres_us(TEXT_FRAMES))
            steps = np.linalg.norm(np.diff(track.within(window.start_us, window.end_us), axis=0), axis=1)
            cosine = float((frames @ words[window.text]).min()) if window.text else float("nan")
            jump = float(steps.max()) if len(steps) else float("nan")
            found.append({"image_text_min": cosine, "image_jump_max": jump})
        return found
