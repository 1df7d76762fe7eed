"""A backbone's measurements without its weights: enough to size an adapter and to print a dry run."""

from dataclasses import dataclass

from training.adapter.config import Site
from training.backbones.base import Backbone
from training.timing import VideoTiming


@dataclass(frozen=True, slots=True)
class BackboneShape:
    """Name, frozen parameters of the generator, places for sound, and clock."""

    name: str
    parameters: int
    sites: tuple[Site, ...]
    video: VideoTiming


def shape_of(backbone: Backbone) -> BackboneShape:
    """The measurements of an open backbone."""
    return BackboneShape(backbone.name, backbone.parameter_count(), backbone.sites(), backbone.video)
