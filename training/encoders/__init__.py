"""Frozen audio encoders: one file an encoder (or a family), one line each in `ENCODERS`."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from shards.errors import BadInput
from training.encoders.base import AudioEncoder, FeatureBank, LayerSpec
from training.settings.config import EncoderConfig


def _mel(layers: tuple[int, ...], weights: Path | None, device: str) -> AudioEncoder:  # noqa: ARG001 (quick anywhere)
    from training.encoders.mel import MelEncoder

    if weights is not None:
        raise BadInput("mel has no weights", remedy="leave `weights` out")
    return MelEncoder(layers)


def _imagebind(layers: tuple[int, ...], weights: Path | None, device: str) -> AudioEncoder:
    from training.encoders.imagebind import ImageBindEncoder

    return ImageBindEncoder(layers, weights, device=device)


def _beats(layers: tuple[int, ...], weights: Path | None, device: str) -> AudioEncoder:
    from training.encoders.beats import BeatsEncoder

    return BeatsEncoder(layers, weights, device=device)


def _transformers(name: str, layers: tuple[int, ...], weights: Path | None, device: str) -> AudioEncoder:
    from training.encoders.transformers import TransformersEncoder

    return TransformersEncoder(name, layers, weights, device=device)


ENCODERS: dict[str, Callable[[tuple[int, ...], Path | None, str], AudioEncoder]] = {
    "mel": _mel,
    "imagebind": _imagebind,
    "beats": _beats,
    "wav2vec2": partial(_transformers, "wav2vec2"),
    "ast": partial(_transformers, "ast"),
    "pe-audio": partial(_transformers, "pe-audio"),
}


def open_encoder(config: EncoderConfig, *, device: str = "cpu") -> AudioEncoder:
    """The encoder that is asked for; its weights are loaded onto the device at its first sound.

    Raises:
        BadInput: there is none of that name, or it has no such layer.
        Unavailable: weights are named that are not there and would say which layers it has.
    """
    if config.name not in ENCODERS:
        raise BadInput(
            f"there is no audio encoder {config.name!r}", remedy=f"choose one of: {', '.join(sorted(ENCODERS))}"
        )
    return ENCODERS[config.name](config.layers, config.weights, device)


__all__ = ["ENCODERS", "AudioEncoder", "FeatureBank", "LayerSpec", "open_encoder"]
