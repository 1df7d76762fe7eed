"""What is encoded of a clip: pictures, words and sound, by the frozen models of a run. One class each."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from torch import Tensor

from shards import downmix
from shards.schema import Record
from training.backbones.base import Backbone
from training.data.entries import Entry
from training.data.media import fitted_sound, read_frames, read_sound
from training.encoders.base import AudioEncoder

IMAGE = "image/"
"""Before the names of what a backbone sees of the given image besides its latent."""


class Part(Protocol):
    """One frozen model's share of what training reads.

    Attributes:
        name: of its folder.
    """

    name: str

    @property
    def version(self) -> str:
        """Changes whenever its numbers would."""
        ...

    @property
    def bytes_per_window(self) -> int:
        """Bytes of one window, as far as they are known without encoding."""
        ...

    def encode(self, record: Record, windows: Sequence[Entry]) -> list[dict[str, Tensor]]:
        """Each window's tensors by name, float16.

        Raises:
            BadInput: the clip cannot be decoded.
        """
        ...

    def shared(self) -> dict[str, Tensor]:
        """Tensors that all windows share."""
        ...

    def release(self) -> None:
        """Forget the frozen model."""
        ...


class Pictures:
    """Latents of each window, picked at the instants that its frames stand for."""

    name = "latents"

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone

    @property
    def version(self) -> str:
        """Codec, clock and size."""
        return f"cover-crop, picture at frame centres, 1; {self._backbone.codec_version}; {self._backbone.video}"

    @property
    def bytes_per_window(self) -> int:
        """Unknown before a picture is encoded."""
        return 0

    def encode(self, record: Record, windows: Sequence[Entry]) -> list[dict[str, Tensor]]:
        """`latents`, `spread` where the codec has one, and what else the backbone sees of the first frame."""
        centres_us = [round(centre * 1e6) for centre in self._backbone.video.frame_centres_s()]
        wanted = sorted({entry.start_us + centre for entry in windows for centre in centres_us})
        pictures = dict(zip(wanted, read_frames(record.mp4, wanted, size_px=self._backbone.size_px), strict=True))
        made = []
        for entry in windows:
            frames = np.stack([pictures[entry.start_us + centre] for centre in centres_us])
            latents, condition = self._backbone.encode_video(frames), self._backbone.encode_condition(frames[0])
            tensors = {"latents": latents.mean} | ({"spread": latents.std} if latents.std is not None else {})
            tensors |= {f"{IMAGE}{name}": tensor for name, tensor in condition.items()}
            made.append({name: tensor.half() for name, tensor in tensors.items()})
        return made

    def shared(self) -> dict[str, Tensor]:
        """Nothing."""
        return {}

    def release(self) -> None:
        """Forget the codec."""
        self._backbone.release_codec()


class Words:
    """The caption of each window."""

    name = "words"

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone

    @property
    def version(self) -> str:
        """The text encoder."""
        return self._backbone.text_version

    @property
    def bytes_per_window(self) -> int:
        """Depends on the caption."""
        return 0

    def encode(self, record: Record, windows: Sequence[Entry]) -> list[dict[str, Tensor]]:  # noqa: ARG002
        """`text`."""
        rows = self._backbone.encode_text(windows[0].caption).half()
        return [{"text": rows} for _ in windows]

    def shared(self) -> dict[str, Tensor]:
        """`no_text`: the empty caption."""
        return {"no_text": self._backbone.encode_text("").half()}

    def release(self) -> None:
        """Forget the text encoder."""
        self._backbone.release_codec()


class Sound:
    """The layers of one audio encoder."""

    def __init__(self, encoder: AudioEncoder, *, duration_s: float) -> None:
        self._encoder, self._duration_s = encoder, duration_s
        self.name = f"sound-{encoder.name}"

    @property
    def version(self) -> str:
        """The encoder and its layers, and how it is given sound."""
        layers = [layer.name for layer in self._encoder.layers]
        return f"{self._encoder.version}; {layers}; {self._duration_s}; mix {downmix.VERSION}"

    @property
    def bytes_per_window(self) -> int:
        """Two bytes a number."""
        columns = self._encoder.columns(self._duration_s)
        return 2 * columns * sum(layer.tokens * layer.width for layer in self._encoder.layers)

    def encode(self, record: Record, windows: Sequence[Entry]) -> list[dict[str, Tensor]]:
        """ "encoder/layer" -> (time, tokens, width)."""
        waveform, rate_hz = read_sound(record.flac)
        count, made = round(self._duration_s * rate_hz), []
        for entry in windows:
            window = fitted_sound(waveform, start=round(entry.start_us * rate_hz / 1e6), count=count)
            bank = self._encoder.encode(window, rate_hz)
            made.append({f"{self._encoder.name}/{layer}": rows.half() for layer, rows in bank.layers.items()})
        return made

    def shared(self) -> dict[str, Tensor]:
        """Nothing."""
        return {}

    def release(self) -> None:
        """Forget the encoder."""
        self._encoder.release()
