"""From an image and a sound to a video, by our sampler or on a diffusers pipeline."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.animate.pipeline import AudioImageToVideoOutput, AudioImageToVideoPipeline

__all__ = ["AudioImageToVideoOutput", "AudioImageToVideoPipeline"]


def __getattr__(name: str) -> Any:
    """The pipeline, imported when it is first asked for: it brings torch."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from training.animate import pipeline

    return getattr(pipeline, name)
