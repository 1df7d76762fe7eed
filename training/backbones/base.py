"""What a backbone is: a frozen video generator, its codec, its words and the places where sound may enter.

A generator is trained to undo noise. Where it stands between data (time 0) and noise (time 1), what it predicts and how
one walks back is its own affair (`flow.py`, `diffusion.py`); loss and sampler only ask. Mostly latent frame 0 is the
given image and stays clean.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from training.adapter.config import Site
from training.timing import VideoTiming


@dataclass(frozen=True, slots=True)
class Latents:
    """What a codec says of a video: (channels, latents, h, w) means and, where it is sure of nothing more, spreads."""

    mean: Tensor
    std: Tensor | None = None


class Backbone(Protocol):
    """A frozen generator.

    Attributes:
        name: its name in the registry.
        video: its clock.
        size_px: height and width of its pictures.
        text_tokens: rows of words in a batch; shorter captions are followed by zeros.
        usual_steps, usual_guidance: how one samples from it: steps, and guidance by words.
        clean_first: whether the given image stands as the clean first latent frame; False where it enters by
            `encode_condition` alone, and all latent frames are noise.
    """

    name: str
    video: VideoTiming
    size_px: tuple[int, int]
    text_tokens: int
    usual_steps: int
    usual_guidance: float
    clean_first: bool

    @property
    def codec_version(self) -> str:
        """Changes whenever `encode_video` would give other numbers."""
        ...

    @property
    def text_version(self) -> str:
        """Changes whenever `encode_text` would give other numbers."""
        ...

    @property
    def network(self) -> nn.Module:
        """The generator itself, frozen."""
        ...

    @property
    def latent_shape(self) -> tuple[int, int, int, int]:
        """(channels, latents, h', w')."""
        ...

    @property
    def text_width(self) -> int:
        """Width of a row of words."""
        ...

    def blank(self) -> "Backbone":
        """A copy with a new network of the same shape: inside `FakeTensorMode` it takes no memory, to count with."""
        ...

    def parameter_count(self) -> int:
        """Parameters of the generator, without its codec and text encoder; known before it is loaded."""
        ...

    def sites(self) -> tuple[Site, ...]:
        """Where sound enters: modules of `network` by name."""
        ...

    def encode_video(self, frames: NDArray[np.uint8]) -> Latents:
        """(frames, h, w, 3) RGB -> latents."""
        ...

    def encode_image(self, picture: NDArray[np.uint8]) -> Tensor:
        """(h, w, 3) RGB -> the first latent frame (channels, 1, h', w')."""
        ...

    def encode_condition(self, picture: NDArray[np.uint8]) -> dict[str, Tensor]:
        """(h, w, 3) RGB -> what else the network must see of a given image, as `condition_shapes` says."""
        ...

    @property
    def condition_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of what `encode_condition` gives; empty where the first latent is all."""
        ...

    def decode_video(self, latents: Tensor, image: Mapping[str, Tensor] | None = None) -> NDArray[np.uint8]:
        """Latents (channels, latents, h', w') -> (frames, h, w, 3) RGB; `image` is what `encode_condition` gave."""
        ...

    def encode_text(self, caption: str) -> Tensor:
        """(at most `text_tokens`, width) of a caption; the empty caption is the dropped one."""
        ...

    def release_codec(self) -> None:
        """Forget codec and text encoder; they come back when asked again."""
        ...

    def time_of(self, normal: float) -> float:
        """The training time that a standard normal number stands for."""
        ...

    def noise(self, clean: Tensor, noise: Tensor, time: Tensor, image_mask: Tensor) -> Tensor:
        """Latents at times (clips,), the first latent frame clean where it is `given` (clips,)."""
        ...

    def target(self, clean: Tensor, noise: Tensor, time: Tensor) -> Tensor:
        """What `denoise` should say."""
        ...

    def denoise(
        self,
        noisy: Tensor,
        time: Tensor,
        text: Tensor,
        image_mask: Tensor,
        image: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """What it predicts for (clips, channels, latents, h', w') at times (clips,), words (clips, tokens, width)."""
        ...

    def sampling_times(self, steps: int) -> list[float]:
        """`steps` + 1 times from noise to data."""
        ...

    def step(self, latents: Tensor, noise_pred: Tensor, *, now: float, then: float) -> Tensor:
        """Walk from one time to the next with what `denoise` predicted."""
        ...

    def weights_dir(self) -> Path | None:
        """Where its frozen weights lie; None where there are none to be had and it is pretrained on a run's clips.

        Raises:
            Unavailable: they are not on this machine.
        """
        ...

    def load_weights(self, folder: Path) -> None:
        """Load frozen weights from a folder, one's own or one that pretraining left."""
        ...

    def to(self, device: str) -> None:
        """Move the generator to a device."""
        ...
