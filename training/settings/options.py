"""What a user may choose about a backbone besides its name."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from shards.errors import BadInput
from training.timing import VideoTiming

Place = TypeVar("Place")


class SiteChoice(StrEnum):
    """Behind which of a backbone's text attentions sound is added."""

    DEFAULT = "default"
    """What the backbone's own file says."""

    ALL = "all"
    LATE = "late"
    """The last half: autograd starts at the first site, so this trains at about half the cost of `alternate`."""

    ALTERNATE = "alternate"
    """Every second one, the last among them: as many parameters as `late`, spread over all depths."""


@dataclass(frozen=True, slots=True)
class BackboneOptions:
    """Choices; None leaves the backbone's own.

    Attributes:
        weights: a folder in diffusers' layout.
        frames: frames of a video.
        size_px: height and width.
        sites: where sound enters.
        half: whether the generator and Wan's text encoder compute in bf16 (but for what their libraries keep in
            float32); tiny never does.
        device: where codec and text encoder encode.
    """

    weights: Path | None = None
    frames: int | None = None
    size_px: tuple[int, int] | None = None
    sites: SiteChoice = SiteChoice.DEFAULT
    half: bool = False
    device: str = "cpu"

    def video(self, own: VideoTiming) -> VideoTiming:
        """The backbone's clock with the chosen number of frames."""
        return VideoTiming(self.frames or own.frames, own.fps, own.ratio)

    def size(self, own: tuple[int, int], *, step_px: int) -> tuple[int, int]:
        """The chosen size.

        Raises:
            BadInput: the backbone cannot make it.
        """
        size = self.size_px or own
        if any(side % step_px or side < step_px for side in size):
            raise BadInput(
                f"a picture of {size[0]} x {size[1]} px does not divide into tokens",
                remedy=f"choose a height and width that are multiples of {step_px}, as in --set size_px=[256,256]",
            )
        return size

    def chosen(self, places: Sequence[Place], *, own: SiteChoice) -> list[Place]:
        """The places where sound enters, of all there are, in order."""
        choice = own if self.sites is SiteChoice.DEFAULT else self.sites
        if choice is SiteChoice.LATE:
            return list(places[len(places) // 2 :])
        if choice is SiteChoice.ALTERNATE:
            return list(places[::-1][::2][::-1])
        return list(places)
