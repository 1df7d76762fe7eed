"""Do these weights work? All that a run does with a published backbone, once and small, and diffusers beside it."""

import inspect
import time
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from shards.errors import BadInput, TrainingError
from training.adapter.layer import AudioAdapter
from training.animate.sample import sample_latents
from training.animate.settings import SampleSettings
from training.backbones import Backbone, BackboneOptions, open_backbone, shape_of
from training.backbones.published import FolderOfParts
from training.data.batches import Batch, padded
from training.encoders import open_encoder
from training.loop.objective import noise_loss
from training.settings.config import EncoderConfig, stage_config
from training.stages.fitting import fresh_adapter

STEPS = 2
SIDE_PX = 64
ALLOWED = {True: 0.05, False: 2e-3}
"""How far the two samplers may be apart, as a share of the latents, in bf16 and in float32: rounding [ours]."""

BUDGET = 0.019
"""Of the adapter, as in training."""

_FRAMES = {"animatediff": 8}
_FEW_FRAMES = 9


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found.

    Attributes:
        loss: of one training step.
        apart: distance of what we sample without sound and what diffusers' pipeline does, as a share of the latter.
        seconds: what it took.
    """

    loss: float
    apart: float
    seconds: float


def check_backbone(name: str, options: BackboneOptions) -> Checked:
    """Load a backbone, encode, take a training step, sample, decode; compare with diffusers' own pipeline.

    Raises:
        Unavailable: a part of the weights is not there.
        BadInput: they are of another kind, or of a backbone that has no published weights.
        TrainingError: a number is none, or the pipeline says something else than we do.
    """
    began = time.monotonic()
    small = BackboneOptions(
        weights=options.weights,
        frames=_FRAMES.get(name, _FEW_FRAMES),
        size_px=(SIDE_PX, SIDE_PX),
        half=options.half,
        device=options.device,
    )
    backbone = open_backbone(name, small)
    if not isinstance(backbone, FolderOfParts):
        raise BadInput(
            f"{name} has no published weights", remedy="it is trained on the spot: there is nothing to check"
        )
    adapter = fresh_adapter(stage_config(1, backbone=name, budget=BUDGET), shape_of(backbone))
    batch = _batch(backbone, adapter)
    if (folder := backbone.weights_dir()) is not None:
        backbone.load_weights(folder)
    backbone.to(options.device)
    adapter.to(options.device)
    loss = _train_step(backbone, adapter, batch.to(options.device))
    apart = _apart(backbone, adapter, batch.to(options.device))
    if not np.isfinite([loss, apart]).all() or apart > ALLOWED[options.half]:
        raise TrainingError(
            f"{name}: the loss of a step is {loss:.4g}, and what is sampled lies {apart:.2%} off diffusers' pipeline",
            remedy="compare the versions of torch and diffusers with requirements.lock, and fetch the weights anew",
        )
    return Checked(loss, apart, time.monotonic() - began)


def check_encoder(config: EncoderConfig, *, device: str) -> None:
    """Load an audio encoder and let it hear two seconds of noise.

    Raises:
        Unavailable: its weights are not there.
        BadInput: they are of another kind.
        TrainingError: it gives numbers that are none.
    """
    sound = np.random.default_rng(0).normal(0, 0.1, 32_000).astype(np.float32)
    bank = open_encoder(config, device=device).encode(sound, 16_000)
    if not all(rows.isfinite().all() for rows in bank.layers.values()):
        raise TrainingError(f"{config.name} gives numbers that are none", remedy="fetch its weights anew")


def _batch(backbone: Backbone, adapter: AudioAdapter) -> Batch:
    """One clip of noise in pictures and sound."""
    frames, generator = _frames(backbone), torch.Generator().manual_seed(0)
    latents = backbone.encode_video(frames).mean[None]
    condition = backbone.encode_condition(frames[0])
    image = {name: rows[None] for name, rows in condition.items()}
    text = padded(backbone.encode_text("a hammer strikes an anvil"), backbone.text_tokens)[None]
    backbone.decode_video(latents[0], condition)
    backbone.release_codec()
    return Batch(
        latents=latents,
        noise=torch.randn(latents.shape, generator=generator),
        time=torch.tensor([backbone.time_of(0.0)]),
        features={
            row.key: torch.randn(1, row.columns, row.tokens, row.width, generator=generator)
            for row in adapter.config.rows
        },
        text=text,
        audio_mask=torch.ones(1, dtype=torch.bool),
        image_mask=torch.ones(1, dtype=torch.bool),
        numbers=(0,),
        image=image,
    )


def _train_step(backbone: Backbone, adapter: AudioAdapter, batch: Batch) -> float:
    """The loss of a step whose gradient reaches the adapter."""
    with adapter.attached(backbone.network), adapter.conditioned(batch.features):
        loss = noise_loss(backbone, batch).mean()
        loss.backward()  # type: ignore[no-untyped-call]
    norm = sum(float(weight.grad.norm()) for weight in adapter.parameters() if weight.grad is not None)
    return float(loss.detach()) if norm > 0 and np.isfinite(norm) else float("nan")


def _apart(backbone: Backbone, adapter: AudioAdapter, batch: Batch) -> float:
    """How far our sampler without sound is from diffusers' pipeline."""
    published = cast(FolderOfParts, backbone)
    pipeline = published.pipeline()
    pipeline.set_progress_bar_config(disable=True)
    height, width = backbone.size_px
    follows = "image" in inspect.signature(pipeline.__call__).parameters
    # AnimateDiff's walks in the precision of its UNet, Wan's in float32.
    dtype = pipeline.unet.dtype if hasattr(pipeline, "unet") else torch.float32
    theirs: Tensor = pipeline(
        prompt_embeds=batch.text.to(dtype),
        height=height,
        width=width,
        num_frames=backbone.video.frames,
        num_inference_steps=STEPS,
        guidance_scale=1.0,
        latents=batch.noise.to(dtype, copy=True),
        output_type="latent",
        **({"image": Image.fromarray(_frames(backbone)[0])} if follows else {}),
    ).frames
    ours = sample_latents(
        backbone,
        adapter,
        first=batch.latents[:, :, :1] if follows else None,
        text=batch.text,
        features=batch.features,
        image=batch.image,
        noise=batch.noise,
        times=published.times_of(pipeline.scheduler),
        settings=SampleSettings(audio_guidance_scale=0.0, guidance_scale=1.0),
    )
    return float((ours - theirs.to(ours)).norm() / theirs.norm())


def _frames(backbone: Backbone) -> NDArray[np.uint8]:
    """(frames, h, w, 3) noise, always the same."""
    shape = (backbone.video.frames, *backbone.size_px, 3)
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
