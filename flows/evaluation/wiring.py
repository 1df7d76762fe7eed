"""Curation's encoders as what an evaluation asks: the one place where training's metrics and curation's networks meet.

Each loads at its first use, from the weights that `clapboard weights` put there.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from curation.encoders.open_clip import OpenClipEncoder
from curation.encoders.settings import SemanticSettings
from shards.errors import BadInput
from shards.weights import noted_digest, require
from training.evaluate.extractors import Embeddings
from training.evaluate.registry import Tools

if TYPE_CHECKING:
    from curation.encoders.pe_av import PeAv
    from curation.encoders.synchformer.runner import SynchformerRunner


class OpenClip:
    """CLIP as `ImageText`."""

    def __init__(self) -> None:
        self.key = f"open_clip ViT-B-32 {noted_digest('clip')}"

    def check(self) -> None:
        """Raise `Unavailable` where the weights are absent."""
        require("clip")

    @cached_property
    def _encoder(self) -> OpenClipEncoder:
        return OpenClipEncoder(require("clip") / "open_clip_model.safetensors")

    def embed_images(self, images: NDArray[np.uint8]) -> Embeddings:
        """Of (n, h, w, 3)."""
        return self._encoder.embed_images(images)

    def embed_texts(self, texts: Sequence[str]) -> Embeddings:
        """Of n texts."""
        return self._encoder.embed_texts(texts)


class PeAvNetwork:
    """PE-AV as `FilmSound`, of the size that the default recipe has."""

    def __init__(self, name: str | None = None) -> None:
        self._name = str(name or SemanticSettings().pair_model)
        self.key = f"{self._name} {noted_digest(self._name)}"

    def check(self) -> None:
        """Raise `Unavailable` where the weights are absent."""
        require(self._name)

    @cached_property
    def _network(self) -> "PeAv":
        from curation.encoders.pe_av import PeAv

        return PeAv(self._name, require(self._name))

    def see(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, width) of frames."""
        return self._network.see(images)

    def compare(self, seen: NDArray[np.float32], sounds: NDArray[np.float32]) -> NDArray[np.float32]:
        """(clips, 2) logit and cosine."""
        return self._network.compare(seen, sounds)


class Synchformer:
    """Synchformer as `OffsetTeller`."""

    def __init__(self) -> None:
        self.key = f"synchformer {noted_digest('synchformer')}"

    def check(self) -> None:
        """Raise `Unavailable` where the weights are absent."""
        require("synchformer")

    @cached_property
    def _runner(self) -> "SynchformerRunner":
        from curation.encoders.synchformer.runner import SynchformerRunner

        return SynchformerRunner()

    def features(
        self, images: NDArray[np.uint8], sounds: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Of n segments."""
        return self._runner.features(images, sounds)

    def offsets(self, seen: NDArray[np.float32], heard: NDArray[np.float32]) -> NDArray[np.float64]:
        """(21,) the posterior of a stretch."""
        return self._runner.offsets(seen, heard)


def tools(weights: Mapping[str, Path] | None = None, *, device: str = "cpu") -> Tools:
    """All networks that this project knows, and files by metric's name."""
    return Tools(
        image_text=OpenClip(),
        film_sound=PeAvNetwork(),
        offset_teller=Synchformer(),
        weights=weights or {},
        device=device,
    )


def weight_paths(given: Sequence[str]) -> dict[str, Path]:
    """ "NAME=PATH" as a table.

    Raises:
        BadInput: one is something else.
    """
    found = {}
    for one in given:
        name, equals, path = one.partition("=")
        if not (name and equals and path):
            raise BadInput(
                f"{one!r} names no file", remedy="--weights METRIC=PATH, for instance fvd=i3d_torchscript.pt"
            )
        found[name] = Path(path)
    return found
