"""What a backbone is: a frozen video generator, its codec, its words and the places where sound may enter.

The generators are flow models (Lipman et al. 2023; Wan): between a clean latent x and noise e lies
x_t = (1 - t) x + t e, and the model predicts the velocity e - x. Latent frame 0 is the given image and stays clean.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from training.adapter_config import Site
from training.config import PretrainConfig
from training.data import ClipSet
from training.progress import Progress
from training.timing import VideoTiming


class Backbone(Protocol):
    """A frozen generator.

    Attributes:
        name: its name in the registry.
        video: its clock.
        size_px: height and width of its pictures.
        codec_version: changes whenever `encode_video` or `encode_text` would give other numbers.
        time_shift: s of the time t -> s t / (1 + (s - 1) t) in training and sampling; above 1 dwells on more noise.
    """

    name: str
    video: VideoTiming
    size_px: tuple[int, int]
    codec_version: str
    time_shift: float

    def parameter_count(self) -> int:
        """Parameters of the generator itself, without its codec and text encoder."""
        ...

    def sites(self) -> tuple[Site, ...]:
        """Where sound may enter."""
        ...

    def modules_by_site(self) -> Mapping[str, nn.Module]:
        """The module of each site, to hook on."""
        ...

    def encode_video(self, frames: NDArray[np.uint8]) -> Tensor:
        """(frames, h, w, 3) RGB -> latents (channels, latents, h', w')."""
        ...

    def encode_image(self, picture: NDArray[np.uint8]) -> Tensor:
        """(h, w, 3) RGB -> the first latent frame (channels, 1, h', w')."""
        ...

    def decode_video(self, latents: Tensor) -> NDArray[np.uint8]:
        """Latents (channels, latents, h', w') -> (frames, h, w, 3) RGB."""
        ...

    def encode_text(self, caption: str) -> Tensor:
        """(tokens, width) of a caption; the empty caption is the dropped one."""
        ...

    def noise(self, clean: Tensor, noise: Tensor, time: Tensor) -> Tensor:
        """Latents at times (clips,), the first latent frame clean."""
        ...

    def target(self, clean: Tensor, noise: Tensor) -> Tensor:
        """What `denoise` should say."""
        ...

    def denoise(self, noisy: Tensor, time: Tensor, text: Tensor) -> Tensor:
        """The velocity at (clips, channels, latents, h', w'), times (clips,), words (clips, tokens, width)."""
        ...

    def provide_weights(
        self, clips: ClipSet, *, store: Path, config: PretrainConfig, progress: Progress | None
    ) -> Path:
        """Load the frozen weights, making them first where that is the backbone's way; returns their folder."""
        ...

    def load_weights(self, folder: Path) -> None:
        """Load frozen weights from a folder that `provide_weights` returned."""
        ...

    def to(self, device: str) -> None:
        """Move the generator to a device."""
        ...
