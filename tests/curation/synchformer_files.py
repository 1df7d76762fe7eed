"""Random checkpoints of Synchformer for tests: the names and shapes that the released ones have, written out by hand.

Learnt from the authors' repository (v-iashin/Synchformer at 9287703, MIT): `model/sync_model.py`, `model/modules/`
(`transformer.py`, `feat_extractors/audio/ast.py` and `hf_src/modeling_ast.py`, `feat_extractors/visual/motionformer.py`
and `motionformer_src/`), `configs/sync.yaml` and `ft_synchability.yaml`, and Motionformer's `divided_224_16x4.yaml`.
"""

import torch

SMALL = {"width": 128, "towers": 2, "blocks": 2}
"""Two heads in the towers, and more than one block of each kind."""

TINY = {"width": 64, "towers": 1, "blocks": 1}
"""As small as the architecture allows; for tests of what is around the network."""


def shapes(width=768, towers=12, blocks=3, places=198, head="off_head"):
    """Name -> shape of every tensor of a released model; the defaults are of the three that tell offsets."""
    whole = [_picture_tower(width, towers), _sound_tower(width, towers), _comparer(width, blocks, places, head)]
    found = {name: shape for part, _, _ in whole for name, shape in part.items()}
    for name, (outputs, inputs) in [(name, shape) for _, linears, _ in whole for name, shape in linears.items()]:
        found |= {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}
    for name in [name for _, _, norms in whole for name in norms]:
        found |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    return found


def _picture_tower(width, towers):
    """Plain parameters, linear layers, norms."""
    found = {
        "vfeat_extractor.cls_token": (1, 1, width),
        "vfeat_extractor.pos_embed": (1, 197, width),
        "vfeat_extractor.temp_embed": (1, 8, width),
        "vfeat_extractor.patch_embed.proj.weight": (width, 3, 16, 16),
        "vfeat_extractor.patch_embed.proj.bias": (width,),
        "vfeat_extractor.patch_embed_3d.proj.weight": (width, 3, 2, 16, 16),
        "vfeat_extractor.patch_embed_3d.proj.bias": (width,),
    }
    linears, norms = {}, ["vfeat_extractor.norm"]
    for block in [f"vfeat_extractor.blocks.{number}" for number in range(towers)]:
        norms += [f"{block}.norm{which}" for which in (1, 2, 3)]
        for attention in ("attn", "timeattn"):
            linears |= {f"{block}.{attention}.qkv": (3 * width, width), f"{block}.{attention}.proj": (width, width)}
        linears |= {f"{block}.mlp.fc1": (4 * width, width), f"{block}.mlp.fc2": (width, 4 * width)}
    last = _reader("vfeat_extractor.spatial_attn_agg", width)
    return found | last[0], linears | last[1], norms + last[2]


def _sound_tower(width, towers):
    patches = "afeat_extractor.ast.embeddings"
    found = {
        f"{patches}.cls_token": (1, 1, width),
        f"{patches}.distillation_token": (1, 1, width),
        f"{patches}.position_embeddings": (1, 74, width),
        f"{patches}.patch_embeddings.projection.weight": (width, 1, 16, 16),
        f"{patches}.patch_embeddings.projection.bias": (width,),
    }
    linears, norms = {}, ["afeat_extractor.ast.layernorm"]
    for layer in [f"afeat_extractor.ast.encoder.layer.{number}" for number in range(towers)]:
        norms += [f"{layer}.layernorm_before", f"{layer}.layernorm_after"]
        linears |= {f"{layer}.attention.attention.{name}": (width, width) for name in ("query", "key", "value")}
        linears |= {f"{layer}.attention.output.dense": (width, width)}
        linears |= {f"{layer}.intermediate.dense": (4 * width, width), f"{layer}.output.dense": (width, 4 * width)}
    last = _reader("afeat_extractor.freq_attn_agg", width)
    return found | last[0], linears | last[1], norms + last[2]


def _reader(name, width):
    found = {
        f"{name}.cls_token": (1, 1, width),
        f"{name}.self_attn.in_proj_weight": (3 * width, width),
        f"{name}.self_attn.in_proj_bias": (3 * width,),
    }
    linears = {f"{name}.self_attn.out_proj": (width, width)}
    linears |= {f"{name}.linear1": (4 * width, width), f"{name}.linear2": (width, 4 * width)}
    return found, linears, [f"{name}.norm1", f"{name}.norm2"]


def _comparer(width, blocks, places, head):
    found = {
        "transformer.OFF_tok": (1, 1, width),
        "transformer.MOD_tok": (1, 1, width),
        "transformer.pos_emb_cfg.pos_emb": (1, places, width),
    }
    norms = [f"transformer.{name}" for name in ("vis_in_lnorm", "aud_in_lnorm", "ln_f")]
    linears = {"vproj": (width, width), "aproj": (width, width)}
    linears |= {f"transformer.{head}": (21 if head == "off_head" else 2, width)}
    for block in [f"transformer.blocks.{number}" for number in range(blocks)]:
        norms += [f"{block}.ln1", f"{block}.ln2"]
        linears |= {f"{block}.attn.{name}": (width, width) for name in ("key", "query", "value", "proj")}
        linears |= {f"{block}.mlp.0": (4 * width, width), f"{block}.mlp.2": (width, 4 * width)}
    return found, linears, norms


def random_tensors(seed=0, **chosen):
    """Random tensors of a tiny model, or of chosen sizes; equal seeds give equal towers, whatever the head."""
    made = {}
    for number, (name, shape) in enumerate(sorted(shapes(**(TINY | chosen)).items())):
        generator = torch.Generator().manual_seed(1000 * seed + (0 if "transformer." in name else number))
        scale = 0.3 if len(shape) == 1 or "token" in name or "embed" in name else 0.15
        drawn = torch.randn(shape, generator=generator) * scale
        is_norm = name.endswith("weight") and len(shape) == 1
        made[name] = 1 + drawn if is_norm else drawn
    return made


def sure_of(number):
    """A tiny model that always gives nearly all of its posterior to one class."""
    tensors = random_tensors()
    tensors["transformer.off_head.weight"] = torch.zeros(21, TINY["width"])
    tensors["transformer.off_head.bias"] = torch.eye(21)[number] * 5
    return tensors


def put(name, tensors, folder):
    """Save as the authors do and add it, as `clapboard weights add` would."""
    from shards.weights import add_local

    path = folder / f"{name}.pt"
    torch.save({"model": tensors, "epoch": 3, "metrics": {"accuracy_1": 0.5}}, path)
    return add_local(name, path)
