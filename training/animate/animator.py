"""An adapter and its generator, loaded once, that make any number of videos of any length."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shards.errors import BadInput
from training.adapter.files import load_adapter
from training.animate.memory import memory_told
from training.animate.parts import Listener, adapter_folder, backbone_of, frozen_weights
from training.animate.sample import sample_latents
from training.animate.segments import Carried, Segment, SegmentPlan, crossfaded, falling
from training.animate.settings import SampleSettings
from training.backbones import Backbone
from training.data.batches import padded
from training.parallel import chosen_device
from training.progress import Progress, part_of
from training.seeds import torch_generator

SILENT = 1e-4
"""-80 dB of full scale: nobody hears it [ours]."""

Pictures = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """What to animate.

    Attributes:
        picture: (h, w, 3) RGB of the backbone's size.
        waveform: (samples,) mono in [-1, 1].
        rate_hz: of the waveform.
        caption: what the picture shows.
        settings: how to sample.
    """

    picture: Pictures
    waveform: NDArray[np.float32]
    rate_hz: int
    caption: str = ""
    settings: SampleSettings = field(default_factory=SampleSettings)

    def __post_init__(self) -> None:
        if not len(self.waveform) or float(np.abs(self.waveform).max()) < SILENT:
            raise BadInput("the sound is silent: nothing would move", remedy="give a sound that can be heard")


class Animator:
    """See the module. Parts are loaded when a video is made, and stay.

    Args:
        run: a finished run's folder, or its adapter's.
        device: where all runs; "auto" takes a GPU where there is one.
        weights: the generator's frozen weights, if they do not lie where they did in training.
        offload: let the generator leave the GPU while codec and text encoder work: less memory, more time.

    Raises:
        BadInput: the folder holds no finished run.
        Unavailable: the device or the weights are not there.
    """

    def __init__(self, run: Path, *, device: str = "auto", weights: Path | None = None, offload: bool = False) -> None:
        self.folder = adapter_folder(run)
        self.device, self.offload = chosen_device(device), offload
        self._named = weights
        self.saved = load_adapter(self.folder)
        self.backbone: Backbone = backbone_of(self.saved, device=self.device, weights=weights)
        self.weights = frozen_weights(self.saved, self.folder, self.backbone, weights=weights)
        self.saved.adapter.requires_grad_(False)
        self._words: dict[str, Tensor] = {}
        self._loaded = False

    @property
    def name(self) -> str:
        """The backbone's name."""
        return self.backbone.name

    def to(self, device: str) -> None:
        """Move to another device, where the generator is loaded anew in that one's precision."""
        self.device = chosen_device(device)
        self.backbone = backbone_of(self.saved, device=self.device, weights=self._named)
        self._loaded = False

    def plan(self, request: Request) -> SegmentPlan:
        """As many frames as begin before the sound ends, in segments."""
        video = self.backbone.video
        return SegmentPlan(video, -(-len(request.waveform) * video.fps // request.rate_hz))

    def prepare(self, captions: Sequence[str]) -> None:
        """Encode captions at once: the text encoder is then loaded once, and let go."""
        wanted = [one for one in dict.fromkeys(captions) if one not in self._words]
        if not wanted:
            return
        with memory_told(self.device):
            self._aside()
            for one in wanted:
                self._words[one] = padded(self.backbone.encode_text(one), self.backbone.text_tokens)[None]
            self.backbone.release_codec()

    def frames(self, request: Request, *, progress: Progress | None = None) -> Iterator[Pictures]:
        """The video in blocks of final frames (frames, h, w, 3).

        Raises:
            BadInput: the sound is too long for a backbone of single pictures.
            Unavailable: too little memory, or an encoder's weights are missing.
        """
        plan = self.plan(request)
        segments = plan.segments()
        with memory_told(self.device):
            heard = self._heard(request, segments)
            self.prepare([request.caption, request.settings.negative])
            tail: Pictures | None = None
            for segment, features in zip(segments, heard, strict=True):
                note = f"segment {segment.number + 1} of {len(segments)}" if len(segments) > 1 else ""
                step = part_of(progress, segment.number, len(segments), note)
                frames = self._segment(request, segment, features, tail, step)
                if tail is not None:
                    frames[: len(tail)] = crossfaded(tail, frames[: len(tail)])
                tail = frames[plan.stride :]
                yield frames[: segment.kept]

    def _heard(self, request: Request, segments: list[Segment]) -> list[dict[str, Tensor]]:
        """What each segment hears; the encoders are let go before the generator comes."""
        listener, video = Listener(self.saved, device=self.device), self.backbone.video
        return [
            {
                key: rows.cpu()
                for key, rows in listener.hear(
                    request.waveform, request.rate_hz, start_s=one.start / video.fps, duration_s=video.duration_s
                ).items()
            }
            for one in segments
        ]

    def _segment(
        self,
        request: Request,
        segment: Segment,
        features: dict[str, Tensor],
        tail: Pictures | None,
        progress: Progress | None,
    ) -> Pictures:
        """All frames of one segment, which goes on from the `tail` of the one before it."""
        backbone, settings, device = self.backbone, request.settings, self.device
        self._aside()
        picture = request.picture if tail is None else tail[0]
        known = backbone.encode_image(picture) if tail is None else backbone.encode_video(tail).mean
        condition = backbone.encode_condition(picture)
        self._ready()
        latents = sample_latents(
            backbone,
            self.saved.adapter.to(device),
            first=known[None, :, :1].to(device),
            text=self._words[request.caption].to(device),
            no_text=self._words[settings.negative].to(device),
            features={key: rows.to(device) for key, rows in features.items()},
            image={name: tensor[None].to(device) for name, tensor in condition.items()},
            settings=settings,
            noise=_noise(backbone, settings.seed, segment.number),
            carried=Carried(known[None], torch.from_numpy(falling(known.shape[1]))) if tail is not None else None,
            progress=progress,
        )
        self._aside()
        return backbone.decode_video(latents[0].cpu(), condition)

    def _ready(self) -> None:
        """The generator on its device."""
        if not self._loaded:
            self.backbone.load_weights(self.weights)
            self._loaded = True
        if self.offload:
            self.backbone.release_codec()
        self.backbone.to(self.device)

    def _aside(self) -> None:
        """Room for codec and text encoder, where it was asked for."""
        if self.offload and self._loaded:
            self.backbone.to("cpu")


def _noise(backbone: Backbone, seed: int, number: int) -> Tensor:
    """(1, channels, latents, h, w) of a segment; the first one's is that of a short video."""
    generator = torch_generator(seed, "segment" if number else "sample", number)
    return torch.randn(backbone.latent_shape, generator=generator)[None]
