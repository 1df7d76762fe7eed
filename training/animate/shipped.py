"""The adapter that comes with the package, so that one can animate before anybody trained anything."""

from pathlib import Path

from training.backbones.drawn import SHIPPED


def shipped_adapter() -> Path:
    """Its folder: an adapter of the `drawn` generator, trained through both stages on curated drawn films."""
    return SHIPPED / "adapter"
