"""Does the picture show what the words say, and does its meaning jump? Through CLIP [pred, with CLIP for ImageBind]."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from curation.encoders.base import ImageTextEncoder
from curation.media.timeline import Window
from curation.scores.base import Columns, Evidence, Need
from shards.weights import require

TEMPLATE = "a video of {}"
TEXT_FRAMES = 3
JUMP_FRAMES = 10


class ClipScore:
    """`image_text_min`: least cosine of 3 frames with the words; `image_jump_max`: largest L2 step of 10 frames."""

    name = "clip"
    version = 1
    needs = frozenset({Need.THUMBNAILS, Need.TEXT})
    columns = ("image_text_min", "image_jump_max")
    evidence = Evidence.MEANING
    trends: ClassVar[Mapping[str, int]] = {"image_text_min": 1}

    def __init__(self, encoder: ImageTextEncoder | None = None) -> None:
        self._given = encoder

    def check(self) -> None:
        """Raise `Unavailable` where the weights are absent."""
        if self._given is None:
            require("clip")

    @cached_property
    def encoder(self) -> ImageTextEncoder:
        """The model, loaded at its first use."""
        from curation.encoders.open_clip import OpenClipEncoder

        return self._given or OpenClipEncoder(require("clip") / "open_clip_model.safetensors")

    def score(self, batch: Sequence[Window]) -> list[Columns]:
        """One entry per window; without words `image_text_min` is NaN."""
        texts = sorted({window.text for window in batch if window.text})
        known = (
            dict(zip(texts, self.encoder.embed_texts([TEMPLATE.format(t) for t in texts]), strict=True))
            if texts
            else {}
        )
        return [self._measure(window, known.get(window.text)) for window in batch]

    def _measure(self, window: Window, words: NDArray[np.float32] | None) -> Columns:
        frames = np.concatenate([window.thumbnails(TEXT_FRAMES), window.thumbnails(JUMP_FRAMES)])
        features = self.encoder.embed_images(frames)
        steps = np.linalg.norm(np.diff(features[TEXT_FRAMES:], axis=0), axis=1)
        cosine = float((features[:TEXT_FRAMES] @ words).min()) if words is not None else float("nan")
        return {"image_text_min": cosine, "image_jump_max": float(steps.max())}
