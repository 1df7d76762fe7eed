"""Does it sound like what the words say? Through CLAP [pred, with CLAP for ImageBind]."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from curation.encoders.semantics import Semantics
from curation.media.timeline import Window
from curation.scores.base import Columns, Evidence, Need

PARTS = 3


class ClapScore:
    """`audio_text_min`: least cosine with the words of three two-second parts, about where CLIP's frames lie.

    Parts begin every half second of the video, so that windows that overlap share them.
    """

    name = "clap"
    version = 2
    needs = frozenset({Need.SOUND_TRACK, Need.TEXT})
    columns = ("audio_text_min",)
    evidence = Evidence.MEANING
    trends: ClassVar[Mapping[str, int]] = {"audio_text_min": 1}

    def __init__(self, semantics: Semantics | None = None) -> None:
        self._semantics = semantics or Semantics()

    @property
    def settings(self) -> str:
        """The model and the template."""
        return self._semantics.settings_key("sound")

    def check(self) -> None:
        """Raise `Unavailable` where the weights or the package are absent."""
        self._semantics.check_sounds()

    def score(self, batch: Sequence[Window]) -> list[Columns]:
        """One entry per window; NaN where there are no words."""
        spoken = [window.text for window in batch if window.text]
        words = dict(zip(spoken, self._semantics.sound_words(spoken), strict=True)) if spoken else {}
        found: list[Columns] = []
        for window in batch:
            assert window.sound_track is not None
            sounds = window.sound_track.nearest(window.centres_us(PARTS))
            cosine = float((sounds @ words[window.text]).min()) if window.text else float("nan")
            found.append({"audio_text_min": cosine})
        return found
