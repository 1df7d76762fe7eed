"""The registry of scenes: one file per class, one line here."""

from training.world.scenes.anvil import ANVIL
from training.world.scenes.ball import BALL
from training.world.scenes.base import Scene
from training.world.scenes.bell import BELL
from training.world.scenes.blocks import BLOCKS
from training.world.scenes.chop import CHOP
from training.world.scenes.clap import CLAP
from training.world.scenes.cymbal import CYMBAL
from training.world.scenes.drum import DRUM
from training.world.scenes.hammer import HAMMER
from training.world.scenes.keys import KEYS
from training.world.scenes.knock import KNOCK
from training.world.scenes.wood import WOOD

SCENES: dict[str, Scene] = {
    scene.name: scene for scene in (ANVIL, BALL, BELL, BLOCKS, CYMBAL, DRUM, WOOD, HAMMER, KNOCK, CLAP, CHOP, KEYS)
}

__all__ = ["SCENES", "Scene"]
