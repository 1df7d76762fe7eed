"""What an adapter needs beside itself: its folder, its generator with frozen weights, its encoders."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from shards.errors import BadInput, Unavailable
from training.adapter.files import DESCRIPTION, SavedAdapter
from training.backbones import Backbone, BackboneOptions, open_backbone
from training.data.media import fitted_sound, read_sound
from training.encoders import open_encoder
from training.settings.config import EncoderConfig

_STARTED = "config.json"


def adapter_folder(run: Path) -> Path:
    """The adapter's folder of a run, or the folder itself where it is one.

    Raises:
        BadInput: neither, or a run that is not finished.
    """
    for folder in (run, run / "adapter"):
        if (folder / DESCRIPTION).is_file():
            return folder
    if (run / _STARTED).is_file():
        raise BadInput(
            f"the run {run} is not finished: it has no adapter yet", remedy="the same `clapboard train` goes on with it"
        )
    raise BadInput(f"{run} holds no finished run and no adapter", remedy="train first: `clapboard train`")


def backbone_of(saved: SavedAdapter, *, device: str = "cpu", weights: Path | None = None) -> Backbone:
    """The backbone that an adapter was trained on, not yet loaded; in half precision on a GPU.

    `weights` is a folder of its parts, if it does not lie where it did in training.
    """
    notes = saved.notes
    noted = Path(notes["backbone_weights"]) if notes.get("backbone_weights") else None
    options = BackboneOptions(
        weights=weights or (noted if noted and noted.is_dir() else None),
        frames=saved.adapter.config.video.frames,
        size_px=tuple(notes["size_px"]) if "size_px" in notes else None,
        half=device != "cpu",
        device=device,
    )
    return open_backbone(str(notes["backbone"]), options)


def frozen_weights(saved: SavedAdapter, folder: Path, backbone: Backbone, *, weights: Path | None = None) -> Path:
    """The folder of the generator's frozen weights: the one that is named, or noted, or fetched.

    Raises:
        Unavailable: there is none on this machine.
    """
    if weights is not None:
        if not weights.is_dir():
            raise Unavailable(f"there is no folder of weights {weights}", remedy="name another one, or fetch them")
        return weights
    noted = (folder / str(saved.notes.get("weights", "weights"))).resolve()
    if noted.is_dir():
        return noted
    found = backbone.weights_dir()
    if found is None:
        raise Unavailable(
            f"the weights of {backbone.name} that {folder} was trained on are not in {noted}",
            remedy="keep a run beside its `backbones`, or name the folder: --weights FOLDER",
        )
    return found


def encoders_of(saved: SavedAdapter) -> list[EncoderConfig]:
    """The encoders that an adapter listens to."""
    kept = saved.notes.get("encoders")
    if kept is None:
        return [EncoderConfig(name=name) for name in dict.fromkeys(row.encoder for row in saved.adapter.config.rows)]
    return [EncoderConfig.model_validate(one) for one in kept]


class Listener:
    """An adapter's encoders, open; each hears any number of stretches of a sound."""

    def __init__(self, saved: SavedAdapter, *, device: str = "cpu") -> None:
        self._named = [(one.name, open_encoder(one, device=device)) for one in encoders_of(saved)]

    def hear(
        self, waveform: NDArray[np.float32], rate_hz: int, *, start_s: float = 0.0, duration_s: float
    ) -> dict[str, Tensor]:
        """Rows "encoder/layer" -> (1, time, tokens, width) of a stretch, with silence behind the sound's end.

        Raises:
            Unavailable: an encoder's weights are not where they were in training.
        """
        window = fitted_sound(waveform, start=round(start_s * rate_hz), count=round(duration_s * rate_hz))
        return {
            f"{name}/{layer}": rows[None]
            for name, encoder in self._named
            for layer, rows in encoder.encode(window, rate_hz).layers.items()
        }


def sound_features(saved: SavedAdapter, sound: Path, *, duration_s: float, device: str = "cpu") -> dict[str, Tensor]:
    """What an adapter hears in a file's first `duration_s` seconds; see `Listener`."""
    waveform, rate_hz = read_sound(sound)
    return Listener(saved, device=device).hear(waveform, rate_hz, duration_s=duration_s)
