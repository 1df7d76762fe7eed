"""Synchformer's network, written anew: the released names load, and every part says what the paper and code say.

The references below are written out in float64 from the authors' description and share no line with the modules. They
stand in for a run with released weights, which are not here: nothing in this file, nor elsewhere, has seen them.
"""

import math

import numpy as np
import pytest
import torch
from scipy.special import erf

from curation.encoders.synchformer.network import IGNORED, Shape, network_of
from curation.encoders.synchformer.sound import log_mel, mel_filters
from shards.errors import BadInput
from tests.curation.synchformer_files import SMALL, TINY, random_tensors, shapes

# ---- the released names


def on_meta(**chosen):
    return {name: torch.empty(shape, device="meta") for name, shape in shapes(**chosen).items()}


def test_the_names_and_shapes_of_the_released_models_load_at_full_size():
    tensors = on_meta()
    assert sum(tensor.numel() for tensor in tensors.values()) == 237_460_245
    network = network_of(tensors)
    assert network.shape == Shape()
    unused = {name for name in tensors if name not in network.state_dict()}
    assert unused == {f"{IGNORED[0]}weight", f"{IGNORED[0]}bias"}


def test_the_fine_tuned_model_has_two_classes_and_a_segment_less():
    network = network_of(on_meta(places=184, head="sync_head"))
    assert network.shape == Shape(segments=13, head="sync_head")


def faulty(change):
    tensors = on_meta(**TINY)
    change(tensors)
    return tensors


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors: tensors.pop("vfeat_extractor.blocks.0.timeattn.qkv.weight"),
        lambda tensors: tensors.pop("transformer.pos_emb_cfg.pos_emb"),
        lambda tensors: tensors.pop("transformer.off_head.weight"),
        lambda tensors: tensors.update({"vfeat_extractor.global_attn_agg.pos_emb": torch.zeros(1)}),
        lambda tensors: tensors.update({"aproj.weight": torch.zeros(64, 65)}),
        lambda tensors: tensors.clear(),
    ],
)
def test_a_checkpoint_that_lacks_or_adds_a_tensor_is_refused(change):
    with pytest.raises(BadInput, match="no checkpoint of Synchformer"):
        network_of(faulty(change))


# ---- references


def array(tensor):
    return tensor.double().numpy()


def softmax(rows):
    grown = np.exp(rows - rows.max(-1, keepdims=True))
    return grown / grown.sum(-1, keepdims=True)


def gelu(rows):
    return rows * 0.5 * (1 + erf(rows / math.sqrt(2)))


class Kept:
    """A checkpoint's tensors, applied by name."""

    def __init__(self, tensors, prefix):
        self.own = {name.removeprefix(prefix): array(one) for name, one in tensors.items() if name.startswith(prefix)}

    def __getitem__(self, name):
        return self.own[name]

    def linear(self, name, rows):
        return rows @ self.own[f"{name}.weight"].T + self.own[f"{name}.bias"]

    def norm(self, name, rows, eps):
        middle, spread = rows.mean(-1, keepdims=True), rows.var(-1, keepdims=True)
        return (rows - middle) / np.sqrt(spread + eps) * self.own[f"{name}.weight"] + self.own[f"{name}.bias"]


def attention(query, key, value, heads, allowed=None):
    """(places, width) each; `allowed` (places, places) says who may look at whom."""
    size, mixed = query.shape[1] // heads, []
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        scores = query[:, part] @ key[:, part].T / math.sqrt(size)
        mixed.append(softmax(scores if allowed is None else np.where(allowed, scores, -np.inf)) @ value[:, part])
    return np.concatenate(mixed, axis=1)


def reader(kept, rows):
    """PyTorch's pre-norm encoder layer over a class token and a set; only the token's row."""
    rows = np.concatenate([kept["cls_token"][0], rows])
    inner = kept.norm("norm1", rows, 1e-6) @ kept["self_attn.in_proj_weight"].T + kept["self_attn.in_proj_bias"]
    rows = rows + kept.linear("self_attn.out_proj", attention(*np.split(inner, 3, axis=1), heads=2))
    return (rows + kept.linear("linear2", gelu(kept.linear("linear1", kept.norm("norm2", rows, 1e-6)))))[0]


def who_sees_whom():
    """Masks over a class token and 8 instants of 196 places: along time, and within an instant."""
    instant, place = np.divmod(np.arange(8 * 196), 196)
    masks = []
    for label in (place, instant):
        allowed = np.ones((1 + 8 * 196, 1 + 8 * 196), bool)
        allowed[1:, 1:] = label[:, None] == label[None, :]
        masks.append(allowed)
    return masks


def picture_reference(tensors, frames):
    """(16, 224, 224, 3) uint8 -> (8, width)."""
    kept = Kept(tensors, "vfeat_extractor.")
    video, rows = (frames / 255.0 - 0.5) / 0.5, []
    for instant in range(8):
        for top in range(0, 224, 16):
            for left in range(0, 224, 16):
                patch = video[2 * instant : 2 * instant + 2, top : top + 16, left : left + 16].transpose(3, 0, 1, 2)
                rows.append((kept["patch_embed_3d.proj.weight"] * patch).sum((1, 2, 3, 4)))
    rows = np.array(rows) + kept["patch_embed_3d.proj.bias"]
    rows = rows + np.tile(kept["pos_embed"][0, 1:], (8, 1)) + np.repeat(kept["temp_embed"][0], 196, axis=0)
    rows = np.concatenate([kept["cls_token"][0] + kept["pos_embed"][0, :1], rows])
    along_time, within_instant = who_sees_whom()
    for number in range(2):
        block = Kept(tensors, f"vfeat_extractor.blocks.{number}.")
        for norm, name, allowed in (("norm3", "timeattn", along_time), ("norm1", "attn", within_instant)):
            parts = np.split(block.linear(f"{name}.qkv", block.norm(norm, rows, 1e-6)), 3, axis=1)
            rows = rows + block.linear(f"{name}.proj", attention(*parts, heads=2, allowed=allowed))
        rows = rows + block.linear("mlp.fc2", gelu(block.linear("mlp.fc1", block.norm("norm2", rows, 1e-6))))
    rows = kept.norm("norm", rows[1:], 1e-6)
    last = Kept(tensors, "vfeat_extractor.spatial_attn_agg.")
    return np.array([reader(last, rows[196 * instant : 196 * (instant + 1)]) for instant in range(8)])


def sound_reference(tensors, bank):
    """(128, 66) -> (6, width)."""
    kept = Kept(tensors, "afeat_extractor.ast.embeddings.")
    kernel, rows = kept["patch_embeddings.projection.weight"][:, 0], []
    for low in range(0, 128 - 15, 10):
        for first in range(0, 66 - 15, 10):
            rows.append((kernel * bank[low : low + 16, first : first + 16]).sum((1, 2)))
    rows = np.array(rows) + kept["patch_embeddings.projection.bias"]
    rows = np.concatenate([kept["cls_token"][0], kept["distillation_token"][0], rows]) + kept["position_embeddings"][0]
    for number in range(2):
        layer = Kept(tensors, f"afeat_extractor.ast.encoder.layer.{number}.")
        seen = layer.norm("layernorm_before", rows, 1e-12)
        parts = [layer.linear(f"attention.attention.{name}", seen) for name in ("query", "key", "value")]
        rows = rows + layer.linear("attention.output.dense", attention(*parts, heads=2))
        grown = gelu(layer.linear("intermediate.dense", layer.norm("layernorm_after", rows, 1e-12)))
        rows = rows + layer.linear("output.dense", grown)
    rows = Kept(tensors, "afeat_extractor.ast.").norm("layernorm", rows, 1e-12)[2:]
    last = Kept(tensors, "afeat_extractor.freq_attn_agg.")
    return np.array([reader(last, rows[instant::6]) for instant in range(6)])


def comparing_reference(tensors, seen, heard, places):
    """(segments, 8, width), (segments, 6, width) and the positions to add -> (21,)."""
    kept, whole = Kept(tensors, "transformer."), Kept(tensors, "")
    pictures = kept.norm("vis_in_lnorm", whole.linear("vproj", seen.reshape(-1, 128)), 1e-5)
    sounds = kept.norm("aud_in_lnorm", whole.linear("aproj", heard.reshape(-1, 128)), 1e-5)
    rows = np.concatenate([kept["OFF_tok"][0], pictures, kept["MOD_tok"][0], sounds]) + places
    for number in range(2):
        block = Kept(tensors, f"transformer.blocks.{number}.")
        inner = block.norm("ln1", rows, 1e-5)
        parts = [block.linear(f"attn.{name}", inner) for name in ("query", "key", "value")]
        rows = rows + block.linear("attn.proj", attention(*parts, heads=8))
        rows = rows + block.linear("mlp.2", gelu(block.linear("mlp.0", block.norm("ln2", rows, 1e-5))))
    return kept.linear("off_head", kept.norm("ln_f", rows, 1e-5))[0]


# ---- the parts against them


def test_the_picture_tower_attends_along_time_then_within_each_instant():
    tensors = random_tensors(**SMALL)
    frames = np.random.default_rng(0).integers(0, 256, (2, 16, 224, 224, 3), dtype=np.uint8)
    with torch.inference_mode():
        found = network_of(tensors).see(torch.from_numpy(frames)).numpy()
    assert found.shape == (2, 8, 128)
    assert np.abs(found[1] - picture_reference(tensors, frames[1].astype(float))).max() < 2e-3


def test_the_sound_tower_reads_the_frequencies_of_each_instant():
    tensors = random_tensors(**SMALL)
    banks = np.random.default_rng(1).normal(size=(2, 128, 66)).astype(np.float32)
    with torch.inference_mode():
        found = network_of(tensors).hear(torch.from_numpy(banks)).numpy()
    assert found.shape == (2, 6, 128)
    for one, bank in zip(found, banks, strict=True):
        assert np.abs(one - sound_reference(tensors, bank.astype(float))).max() < 2e-3


@pytest.mark.parametrize("segments", [14, 8])
def test_the_comparing_transformer_keeps_every_rows_own_position(segments):
    """OFF, 14 x 8 pictures, MOD, 14 x 6 sounds; of fewer segments, the first of each kind."""
    tensors, draw = random_tensors(**SMALL), np.random.default_rng(2)
    seen, heard = draw.normal(size=(segments, 8, 128)), draw.normal(size=(segments, 6, 128))
    table = array(tensors["transformer.pos_emb_cfg.pos_emb"])[0]
    places = [0, *range(1, 1 + 8 * segments), 113, *range(114, 114 + 6 * segments)]
    expected = comparing_reference(tensors, seen, heard, table[places])
    with torch.inference_mode():
        given = (torch.from_numpy(rows[None].astype(np.float32)) for rows in (seen, heard))
        found = network_of(tensors).compare(*given)[0].numpy()
    assert np.abs(found - expected).max() < 1e-3


def bank_reference(sound):
    """Frame by frame: centred frames of 1024 with a Hann window of 400 in the middle, HTK's mel, log, AST's scale."""
    taper = np.zeros(1024)
    taper[312:712] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    wide, frames = np.pad(sound.astype(float), 512, mode="reflect"), []
    mel = lambda hz: 2595 * math.log10(1 + hz / 700)  # noqa: E731
    edges = [700 * (10 ** (mel(8000) * step / 129 / 2595) - 1) for step in range(130)]
    for first in range(0, len(sound) + 1, 160):
        power = np.abs(np.fft.rfft(wide[first : first + 1024] * taper)) ** 2
        bands = np.zeros(128)
        for band in range(128):
            low, middle, high = edges[band : band + 3]
            for number in range(513):
                hz = number * 15.625
                if low < hz < high:
                    bands[band] += power[number] * min((hz - low) / (middle - low), (high - hz) / (high - middle))
        frames.append(np.log(bands + 1e-6))
    frames.append(np.zeros(128))
    return (np.array(frames).T + 4.2677393) / (2 * 4.5689974)


def test_the_spectrogram_is_torchaudios_of_each_segment_alone():
    sound = np.random.default_rng(3).uniform(-0.5, 0.5, 10_240).astype(np.float32)
    found = log_mel(torch.from_numpy(sound)[None]).numpy()[0]
    assert found.shape == (128, 66)
    assert np.abs(found - bank_reference(sound)).max() < 1e-3
    # The published padding: 0 in the logarithm, so louder than silence.
    assert found[:, 65] == pytest.approx(4.2677393 / 9.1379948)
    assert log_mel(torch.zeros(1, 10_240)).numpy()[0, :, 0] == pytest.approx((math.log(1e-6) + 4.2677393) / 9.1379948)


def test_some_low_bands_hold_no_bin_as_in_torchaudio():
    """At 15.6 Hz a bin, 128 bands of HTK's scale are partly narrower than that: their energy is always 0."""
    filters = mel_filters()
    assert filters.shape == (128, 513) and filters.max() <= 1
    assert [int(one) for one in np.flatnonzero(filters.sum(axis=1) == 0)] == EMPTY_BANDS


EMPTY_BANDS = [
    band
    for band in range(128)
    if not any(
        700 * (10 ** (2595 * math.log10(1 + 8000 / 700) * band / 129 / 2595) - 1)
        < number * 15.625
        < 700 * (10 ** (2595 * math.log10(1 + 8000 / 700) * (band + 2) / 129 / 2595) - 1)
        for number in range(513)
    )
]
