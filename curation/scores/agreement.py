"""Would picture and sound name the same class? CLIP and CLAP share no space, but they can be asked the same question.

Both give probabilities over the recipe's vocabulary; their overlap (the Bhattacharyya coefficient, the sum of
sqrt(p q)) is 1 where they agree and 0 where each is sure of something else. No caption is needed [ours, after
method.md].
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from curation.encoders.semantics import Semantics
from curation.media.timeline import Window
from curation.scores.base import Columns, Evidence, Need
from shards.errors import Unavailable

PARTS = 3


class AgreementScore:
    """`agreement`: least overlap of the two distributions at three instants. `agreement_entropy`: how unsure the less
    sure of the two is, in [0, 1]; where it is high, agreement says little."""

    name = "agreement"
    version = 1
    needs = frozenset({Need.PICTURE_TRACK, Need.SOUND_TRACK})
    columns = ("agreement", "agreement_entropy")
    evidence = Evidence.MEANING
    trends: ClassVar[Mapping[str, int]] = {"agreement": 1}

    def __init__(self, semantics: Semantics | None = None) -> None:
        self._semantics = semantics or Semantics()

    @property
    def settings(self) -> str:
        """Both models, both templates, and the vocabulary."""
        return self._semantics.settings_key("both")

    def check(self) -> None:
        """Raise `Unavailable` where weights or packages are absent, or there are no classes to choose from."""
        if len(self._semantics.settings.vocabulary) < 2:
            raise Unavailable(
                "the recipe has no vocabulary of two classes or more", remedy="name classes in `semantics.vocabulary`"
            )
        self._semantics.check_images()
        self._semantics.check_sounds()

    def score(self, batch: Sequence[Window]) -> list[Columns]:
        """One entry per window."""
        semantics = self._semantics
        classes = semantics.settings.vocabulary
        seen_words = semantics.images.scale * semantics.picture_words(classes).T
        heard_words = semantics.sounds.scale * semantics.sound_words(classes).T
        found: list[Columns] = []
        for window in batch:
            assert window.picture_track is not None and window.sound_track is not None
            instants = window.centres_us(PARTS)
            seen = softmax(window.picture_track.nearest(instants) @ seen_words)
            heard = softmax(window.sound_track.nearest(instants) @ heard_words)
            found.append(
                {
                    "agreement": float(np.sqrt(seen * heard).sum(axis=1).min()),
                    "agreement_entropy": max(_entropy(seen), _entropy(heard)),
                }
            )
        return found


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Probabilities over the last axis."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def _entropy(shares: NDArray[np.float64]) -> float:
    """Mean entropy over instants, 1 where all classes are equally likely."""
    bits = -(shares * np.log(np.maximum(shares, 1e-12))).sum(axis=1)
    return float(bits.mean() / np.log(shares.shape[1]))
