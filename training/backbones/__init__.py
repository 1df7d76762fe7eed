"""Frozen video generators: one file a backbone, one line each in `BACKBONES`."""

from collections.abc import Callable
from functools import partial

from shards.errors import BadInput
from training.backbones.base import Backbone, Latents
from training.backbones.shape import BackboneShape, shape_of
from training.settings.options import BackboneOptions, SiteChoice


def _tiny(options: BackboneOptions) -> Backbone:
    from training.backbones.tiny import TinyBackbone

    return TinyBackbone(options)


def _drawn(options: BackboneOptions) -> Backbone:
    from training.backbones.drawn import DrawnBackbone

    return DrawnBackbone(options)


def _wan(name: str, options: BackboneOptions) -> Backbone:
    """A Wan backbone: from the folder that was named, or from fetched weights; without either it can be measured."""
    from shards.weights import status
    from training.backbones.wan import PRESETS, WanBackbone
    from training.backbones.wan_i2v import WanImageBackbone

    preset, found = PRESETS[name], status(name)
    kind = WanImageBackbone if preset.sees_image else WanBackbone
    return kind(preset, options, options.weights or (found.path if found.present else None))


def _animatediff(options: BackboneOptions) -> Backbone:
    from training.backbones.animatediff import AnimateDiff

    return AnimateDiff(options)


BACKBONES: dict[str, Callable[[BackboneOptions], Backbone]] = {
    "drawn": _drawn,
    "tiny": _tiny,
    "wan2.2-ti2v-5b": partial(_wan, "wan2.2-ti2v-5b"),
    "wan2.1-i2v-14b": partial(_wan, "wan2.1-i2v-14b"),
    "wan2.1-1.3b": partial(_wan, "wan2.1-1.3b"),
    "animatediff": _animatediff,
}


NOTICES = {
    "wan2.1-1.3b": (
        "wan2.1-1.3b makes videos from words and has never learned to go on from an image; to animate images take "
        "wan2.2-ti2v-5b"
    ),
    "animatediff": (
        "animatediff is experimental: it has never learned to go on from an image, and frozen it only sees one as a "
        "clean first frame; to animate images take wan2.2-ti2v-5b"
    ),
}
"""What a user should know before choosing a backbone."""


def open_backbone(name: str, options: BackboneOptions | None = None) -> Backbone:
    """The backbone of this name. It can be measured without weights; each part is loaded when it is first asked.

    Raises:
        BadInput: there is none, or it cannot be as the options want it.
    """
    if name not in BACKBONES:
        raise BadInput(f"there is no backbone {name!r}", remedy=f"choose one of: {', '.join(sorted(BACKBONES))}")
    return BACKBONES[name](options or BackboneOptions())


__all__ = [
    "BACKBONES",
    "NOTICES",
    "Backbone",
    "BackboneOptions",
    "BackboneShape",
    "Latents",
    "SiteChoice",
    "open_backbone",
    "shape_of",
]
