"""An adapter on a plain diffusers pipeline, with the maths of `sample.py`:

    with listening(pipeline, Path("RUN/adapter"), Path("sound.wav"), audio_guidance_scale=2.0):
        video = pipeline(prompt="a hammer", num_frames=49, ...).frames[0]

The pipeline keeps its own scheduler and its own guidance by words, noise_pred = uncond + g (cond - uncond). So that
s (audio - cond) is added to that, whatever g, its generator is made to say cond + s / g (audio - cond) where it sees
the words, and what it always says where it does not.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from shards.errors import BadInput
from training.adapter.files import load_adapter
from training.adapter.layer import AudioAdapter
from training.animate.parts import sound_features


@contextmanager
def listening(pipeline: Any, folder: Path, sound: Path, *, audio_guidance_scale: float = 2.0) -> Iterator[AudioAdapter]:
    """Let a pipeline's generator hear a sound until the block ends.

    Args:
        pipeline: a Wan or AnimateDiff pipeline of the generator that the adapter was trained on; its parts may be
            offloaded, if that was asked for before.
        folder: the adapter.
        sound: a file; its first seconds are heard.
        audio_guidance_scale: s; 0 is the pipeline as it was, bit for bit.

    Raises:
        BadInput: the pipeline has no such places, or the adapter is for another number of frames.
    """
    generator = getattr(pipeline, "transformer", None) or getattr(pipeline, "unet", None)
    if generator is None:
        raise BadInput(f"{type(pipeline).__name__} has no generator", remedy="give a Wan or AnimateDiff pipeline")
    saved = load_adapter(folder)
    adapter = saved.adapter.requires_grad_(False)
    features = sound_features(saved, sound, duration_s=adapter.config.video.duration_s)
    guided = _Guided(pipeline, generator, adapter, features, audio_guidance_scale)
    with adapter.attached(generator), guided.in_place():
        yield adapter


class _Guided:
    """A generator's forward pass, guided by sound."""

    def __init__(
        self, pipeline: Any, generator: Any, adapter: AudioAdapter, features: dict[str, Tensor], scale: float
    ) -> None:
        self._pipeline, self._generator, self._adapter = pipeline, generator, adapter
        self._features, self._scale = features, scale
        self._forward, self._context = generator.forward, getattr(generator, "cache_context", None)
        self._sees_words = True

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Instead of the generator's own until the block ends."""
        own = {name: vars(self._generator).get(name) for name in ("forward", "cache_context")}
        self._generator.forward = self
        if self._context is not None:
            self._generator.cache_context = self._named
        try:
            yield
        finally:
            for name, before in own.items():
                if before is not None:
                    setattr(self._generator, name, before)
                elif name in vars(self._generator):
                    delattr(self._generator, name)

    @contextmanager
    def _named(self, name: str, **more: Any) -> Iterator[Any]:
        """Pipelines that make two passes say in which they are, for caches."""
        self._sees_words = name != "uncond"
        try:
            with self._context(name, **more) as context:  # type: ignore[misc]
                yield context
        finally:
            self._sees_words = True

    @torch.no_grad()
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the generator says, and where it sees the words what the sound adds."""
        self._check(args[0] if args else kwargs["hidden_states"])
        output = self._forward(*args, **kwargs)
        if not self._scale or not self._sees_words:
            return output
        cond = output[0]
        adapter, clips = self._adapter.to(cond.device), len(cond)
        with adapter.conditioned({key: rows.to(cond.device) for key, rows in self._features.items()}):
            adapter.expand_to(clips)
            audio = self._forward(*args, **kwargs)[0]
        added = self._scale / self._words_scale() * (audio - cond)
        if self._in_one_batch():
            # [uncond, cond], one behind the other.
            added[: clips // 2] = 0
        if isinstance(output, tuple):
            return (cond + added, *output[1:])
        return type(output)(cond + added)

    def _words_scale(self) -> float:
        return float(self._pipeline.guidance_scale) if self._pipeline.do_classifier_free_guidance else 1.0

    def _in_one_batch(self) -> bool:
        return self._context is None and bool(self._pipeline.do_classifier_free_guidance)

    def _check(self, latents: Tensor) -> None:
        video = self._adapter.config.video
        if latents.shape[2] != video.latents:
            raise BadInput(
                f"the adapter was trained on {video.latents} latent frames, not {latents.shape[2]}",
                remedy=f"make {video.frames} frames",
            )
