"""The Wan family of video generators (Apache-2.0): architectures as published with their weights on the hub.

Both compress time 4:1, causally. Sound enters in the last half of the blocks: the same number of parameters as every
second block at half the cost, since autograd starts at the first adapter; Syncphony puts its audio layers late too
[ours].
"""

from dataclasses import dataclass
from typing import Any

from shards.errors import Unavailable
from training.adapter_config import Site
from training.backbones.shape import BackboneShape
from training.timing import VideoTiming

_FAMILY: dict[str, Any] = {
    "patch_size": (1, 2, 2),
    "attention_head_dim": 128,
    "text_dim": 4096,
    "freq_dim": 256,
    "num_layers": 30,
    "cross_attn_norm": True,
    "qk_norm": "rms_norm_across_heads",
    "eps": 1e-6,
    "rope_max_seq_len": 1024,
}


@dataclass(frozen=True, slots=True)
class WanPreset:
    """A published Wan model: its transformer's architecture and its clock for about two seconds."""

    name: str
    architecture: dict[str, Any]
    video: VideoTiming


PRESETS = {
    preset.name: preset
    for preset in (
        WanPreset(
            "wan2.2-ti2v-5b",
            _FAMILY | {"num_attention_heads": 24, "ffn_dim": 14336, "in_channels": 48, "out_channels": 48},
            VideoTiming(frames=49, fps=24, ratio=4),
        ),
        WanPreset(
            "wan2.1-1.3b",
            _FAMILY | {"num_attention_heads": 12, "ffn_dim": 8960, "in_channels": 16, "out_channels": 16},
            VideoTiming(frames=33, fps=16, ratio=4),
        ),
    )
}


def wan_shape(name: str) -> BackboneShape:
    """Exact measurements of a preset, from a transformer built without memory (meta device)."""
    import torch
    from diffusers import WanTransformer3DModel

    preset = PRESETS[name]
    with torch.device("meta"):
        transformer = WanTransformer3DModel(**preset.architecture)
    parameters = sum(weight.numel() for weight in transformer.parameters())
    blocks = preset.architecture["num_layers"]
    width = preset.architecture["num_attention_heads"] * preset.architecture["attention_head_dim"]
    sites = tuple(Site(f"blocks.{block}.attn2", width) for block in range(blocks // 2, blocks))
    return BackboneShape(name, parameters, sites, preset.video)


def open_wan(name: str) -> Any:
    """A Wan backbone with its weights.

    Raises:
        Unavailable: they are not on this machine.
    """
    raise Unavailable(f"the weights of {name} are not on this machine", remedy=f"clapboard weights fetch {name}")
