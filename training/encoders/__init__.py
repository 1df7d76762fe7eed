"""Frozen audio encoders: one file an encoder, one line each in `ENCODERS`."""

from collections.abc import Callable

from shards.errors import BadInput
from training.encoders.base import AudioEncoder, FeatureBank, LayerSpec


def _mel() -> AudioEncoder:
    from training.encoders.mel import MelEncoder

    return MelEncoder()


ENCODERS: dict[str, Callable[[], AudioEncoder]] = {
    "mel": _mel,
}


def open_encoder(name: str) -> AudioEncoder:
    """The encoder of this name.

    Raises:
        BadInput: there is none.
    """
    if name not in ENCODERS:
        raise BadInput(f"there is no audio encoder {name!r}", remedy=f"choose one of: {', '.join(sorted(ENCODERS))}")
    return ENCODERS[name]()


__all__ = ["ENCODERS", "AudioEncoder", "FeatureBank", "LayerSpec", "open_encoder"]
