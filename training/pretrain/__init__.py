"""Pretraining the small generator that comes with the package: drawn films without their sound, a codec, a network.

It stands in for the web-scale pretraining of a big generator: it learns what moves and how, and cannot know when
[ours].
"""

from training.pretrain.settings import PretrainSettings, read_pretrain_settings
from training.pretrain.world import pretrain_world

__all__ = ["PretrainSettings", "pretrain_world", "read_pretrain_settings"]
