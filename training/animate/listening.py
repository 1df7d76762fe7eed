"""An adapter on a plain diffusers pipeline:

with listening(pipeline, Path("RUN/adapter"), Path("sound.wav")):
    video = pipeline(prompt="a hammer", num_frames=49, ...).frames[0]
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from shards.errors import BadInput
from training.adapter.files import load_adapter
from training.adapter.layer import AudioAdapter
from training.animate.sample import sound_features


@contextmanager
def listening(pipeline: Any, folder: Path, sound: Path, *, scale: float = 1.0) -> Iterator[AudioAdapter]:
    """Let a pipeline's generator hear a sound until the block ends, however many passes and clips at once it makes.

    Args:
        pipeline: a Wan or AnimateDiff pipeline of the generator that the adapter was trained on.
        folder: the adapter.
        sound: a file; its first seconds are heard.
        scale: how much; 0 is the pipeline as it was, bit for bit.

    Raises:
        BadInput: the pipeline has no such places, or the adapter is for another number of frames.
    """
    root: nn.Module | None = getattr(pipeline, "transformer", None) or getattr(pipeline, "unet", None)
    if root is None:
        raise BadInput(f"{type(pipeline).__name__} has no generator", remedy="give a Wan or AnimateDiff pipeline")
    saved = load_adapter(folder)
    adapter, video = saved.adapter, saved.adapter.config.video
    device = next(root.parameters()).device
    adapter.to(device).requires_grad_(False)
    adapter.scale = scale
    features = sound_features(saved, sound, duration_s=video.duration_s)

    def widen(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given: Any = args[0] if args else kwargs.get("hidden_states", kwargs.get("sample"))
        if given.shape[2] != video.latents:
            raise BadInput(
                f"the adapter was trained on {video.latents} latent frames, not {given.shape[2]}",
                remedy=f"make {video.frames} frames",
            )
        adapter.widen(len(given))

    with adapter.attached(root), adapter.hearing({key: rows.to(device) for key, rows in features.items()}):
        handle = root.register_forward_pre_hook(widen, with_kwargs=True)
        try:
            with torch.no_grad():
                yield adapter
        finally:
            handle.remove()
