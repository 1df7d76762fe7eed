"""The metrics by name, made with the networks and files that were given; one that lacks something says so itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shards.errors import BadInput
from training.evaluate.base import Metric
from training.evaluate.extractors import FilmSound, FrameSound, ImageText, OffsetTeller
from training.evaluate.metrics.av_align import AvAlign, AvAlignOnce, PeakFinder
from training.evaluate.metrics.cycle_sync import CycleSync, VideoToAudio
from training.evaluate.metrics.desync import DeSync, DeSyncAll
from training.evaluate.metrics.event_f1 import EventError, EventF1
from training.evaluate.metrics.frechet import Fid, FrechetMotion, FrechetPixels, Fvd
from training.evaluate.metrics.javis import JavisScore
from training.evaluate.metrics.offset import OffsetError
from training.evaluate.metrics.similarity import ClipImageText, PeAvSimilarity
from training.evaluate.metrics.sync_classifier import AlignSync, RelSync, SyncClassifier


@dataclass(frozen=True)
class Tools:
    """What metrics are made with: networks, paths of weights by metric's name, and where they run."""

    image_text: ImageText | None = None
    film_sound: FilmSound | None = None
    offset_teller: OffsetTeller | None = None
    frame_sound: FrameSound | None = None
    video_to_audio: VideoToAudio | None = None
    weights: Mapping[str, Path] = field(default_factory=dict)
    device: str = "cpu"
    peaks: PeakFinder = field(default_factory=PeakFinder)

    def classifier(self) -> SyncClassifier:
        """The predecessor's, by the folder of its parts."""
        return SyncClassifier(self.weights.get("relsync"), device=self.device)


METRICS: dict[str, Callable[[Tools], Metric]] = {
    "event_f1": lambda _: EventF1(),
    "event_error_s": lambda _: EventError(),
    "av_align": lambda tools: AvAlign(tools.peaks),
    "av_align_once": lambda tools: AvAlignOnce(tools.peaks),
    "offset_error_s": lambda _: OffsetError(),
    "frechet_pixels": lambda _: FrechetPixels(),
    "frechet_motion": lambda _: FrechetMotion(),
    "fid": lambda tools: Fid(tools.weights.get("fid"), device=tools.device),
    "fvd": lambda tools: Fvd(tools.weights.get("fvd"), device=tools.device),
    "clip_image_text": lambda tools: ClipImageText(tools.image_text),
    "pe_av": lambda tools: PeAvSimilarity(tools.film_sound),
    "desync": lambda tools: DeSync(tools.offset_teller),
    "desync_all": lambda tools: DeSyncAll(tools.offset_teller),
    "relsync": lambda tools: RelSync(tools.classifier()),
    "alignsync": lambda tools: AlignSync(tools.classifier(), tools.frame_sound),
    "javis_score": lambda tools: JavisScore(tools.frame_sound),
    "cycle_sync": lambda tools: CycleSync(tools.video_to_audio),
}

WITHOUT_WEIGHTS = ("av_align", "av_align_once", "offset_error_s", "frechet_pixels", "frechet_motion")
"""What any machine can say of any film."""

OF_DRAWN = ("event_f1", "event_error_s")
"""What can be said besides where the sounds are known."""


def chosen(names: Sequence[str], tools: Tools | None = None) -> list[Metric]:
    """The metrics of these names, checked before anything is decoded.

    Raises:
        BadInput: there is no such metric.
        Unavailable: one of them cannot be computed here.
    """
    unknown = [name for name in names if name not in METRICS]
    if unknown:
        raise BadInput(f"there is no metric {unknown[0]!r}", remedy=f"some of: {', '.join(METRICS)}")
    made = [METRICS[name](tools or Tools()) for name in dict.fromkeys(names)]
    for metric in made:
        metric.check()
    return made
