"""Frozen video generators: one file a backbone, one line each in `BACKBONES`."""

from collections.abc import Callable
from dataclasses import dataclass

from shards.errors import BadInput
from training.backbones.base import Backbone
from training.backbones.shape import BackboneShape, shape_of
from training.backbones.wan import open_wan, wan_shape


@dataclass(frozen=True, slots=True)
class BackboneEntry:
    """How to open a backbone, and how to measure it without weights."""

    open: Callable[[], Backbone]
    shape: Callable[[], BackboneShape]


def _tiny() -> Backbone:
    from training.backbones.tiny import TinyBackbone

    return TinyBackbone()


BACKBONES: dict[str, BackboneEntry] = {
    "tiny": BackboneEntry(_tiny, lambda: shape_of(_tiny())),
    "wan2.2-ti2v-5b": BackboneEntry(lambda: open_wan("wan2.2-ti2v-5b"), lambda: wan_shape("wan2.2-ti2v-5b")),
    "wan2.1-1.3b": BackboneEntry(lambda: open_wan("wan2.1-1.3b"), lambda: wan_shape("wan2.1-1.3b")),
}


def open_backbone(name: str) -> Backbone:
    """The backbone of this name, ready to encode.

    Raises:
        BadInput: there is none.
        Unavailable: its weights are not on this machine.
    """
    return _entry(name).open()


def describe_backbone(name: str) -> BackboneShape:
    """The measurements of the backbone of this name; needs no weights.

    Raises:
        BadInput: there is none.
    """
    return _entry(name).shape()


def _entry(name: str) -> BackboneEntry:
    if name not in BACKBONES:
        raise BadInput(f"there is no backbone {name!r}", remedy=f"choose one of: {', '.join(sorted(BACKBONES))}")
    return BACKBONES[name]


__all__ = [
    "BACKBONES",
    "Backbone",
    "BackboneShape",
    "describe_backbone",
    "open_backbone",
    "shape_of",
]
