"""The registry of scenes: one file per class, one line here."""

from training.world.scenes.anvil import ANVIL
from training.world.scenes.ball import BALL
from training.world.scenes.base import Scene
from training.world.scenes.bell import BELL
from training.world.scenes.blocks import BLOCKS
from training.world.scenes.cymbal import CYMBAL
from training.world.scenes.drum import DRUM
from training.world.scenes.wood import WOOD

SCENES: dict[str, Scene] = {scene.name: scene for scene in (ANVIL, BALL, BELL, BLOCKS, CYMBAL, DRUM, WOOD)}

__all__ = ["SCENES", "Scene"]
