"""Encoders of other people's weights: layer by layer what their papers say, on a clock that is right.

The references below are written out step by step in float64, from the equations and the names in published checkpoints;
they share no line with the modules they check.
"""

import math
import pickle

import numpy as np
import pytest
import torch

from shards.errors import BadInput, Unavailable
from training.encoders import ENCODERS, open_encoder
from training.encoders.beats import BeatsEncoder, relative_buckets
from training.encoders.imagebind import ImageBindEncoder
from training.encoders.sound import kaldi_filter_bank
from training.encoders.transformers import TransformersEncoder
from training.settings.config import EncoderConfig, stage_config
from training.stages.dry_run import dry_run

RATE_HZ = 16_000
WIDTH, HEADS, BLOCKS = 24, 2, 3


def noise(seconds: float, rate_hz: int = RATE_HZ) -> np.ndarray:
    return np.random.default_rng(3).uniform(-0.5, 0.5, round(seconds * rate_hz)).astype(np.float32)


def normal(*shape: int, scale: float = 0.2) -> torch.Tensor:
    return torch.randn(*shape, generator=normal.generator) * scale


normal.generator = torch.Generator().manual_seed(7)


# ---- Kaldi's filter bank


def reference_bank(wave: np.ndarray, taper: np.ndarray, bands: int = 128) -> np.ndarray:
    frames = []
    mel = lambda hz: 1127.0 * math.log(1 + hz / 700.0)  # noqa: E731
    edges = np.linspace(mel(20.0), mel(8000.0), bands + 2)
    for start in range(0, len(wave) - 400 + 1, 160):
        frame = wave[start : start + 400].astype(np.float64)
        frame = frame - frame.mean()
        before = np.concatenate([frame[:1], frame[:-1]])
        power = np.abs(np.fft.rfft((frame - 0.97 * before) * taper, 512)) ** 2
        energies = np.zeros(bands)
        for bin_ in range(256):
            at = mel(bin_ * 16_000 / 512)
            for band in range(bands):
                low, middle, high = edges[band : band + 3]
                if low < at < high:
                    rising, falling = (at - low) / (middle - low), (high - at) / (high - middle)
                    energies[band] += power[bin_] * min(rising, falling)
        frames.append(np.log(np.maximum(energies, 1.1920929e-07)))
    return np.array(frames)


@pytest.mark.parametrize("name", ["hann", "povey"])
def test_the_filter_bank_is_kaldis(name):
    wave = noise(0.1)
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 399)
    expected = reference_bank(wave, taper**0.85 if name == "povey" else taper)
    found = kaldi_filter_bank(torch.from_numpy(wave), taper=name).numpy()
    assert found.shape == expected.shape == (8, 128)
    assert np.abs(found - expected).max() < 1e-3


# ---- ImageBind


def imagebind_checkpoint() -> dict[str, torch.Tensor]:
    audio, trunk = "modality_preprocessors.audio.", "modality_trunks.audio.blocks."
    made = {
        audio + "cls_token": normal(1, 1, WIDTH),
        audio + "rgbt_stem.proj.weight": normal(WIDTH, 1, 16, 16),
        audio + "rgbt_stem.norm_layer.weight": 1 + normal(WIDTH),
        audio + "rgbt_stem.norm_layer.bias": normal(WIDTH),
        audio + "pos_embedding_helper.pos_embed": normal(1, 1 + 12 * 19, WIDTH),
        "modality_preprocessors.vision.cls_token": normal(1, 1, 8),
        "modality_heads.audio.2.weight": normal(8, WIDTH),
    }
    for block in range(BLOCKS):
        name = f"{trunk}{block}."
        made |= {
            name + "attn.in_proj_weight": normal(3 * WIDTH, WIDTH),
            name + "attn.in_proj_bias": normal(3 * WIDTH),
            name + "attn.bias_k": normal(1, 1, WIDTH),
            name + "attn.bias_v": normal(1, 1, WIDTH),
            name + "attn.out_proj.weight": normal(WIDTH, WIDTH),
            name + "attn.out_proj.bias": normal(WIDTH),
            name + "norm_1.weight": 1 + normal(WIDTH),
            name + "norm_1.bias": normal(WIDTH),
            name + "norm_2.weight": 1 + normal(WIDTH),
            name + "norm_2.bias": normal(WIDTH),
            name + "mlp.fc1.weight": normal(4 * WIDTH, WIDTH),
            name + "mlp.fc1.bias": normal(4 * WIDTH),
            name + "mlp.fc2.weight": normal(WIDTH, 4 * WIDTH),
            name + "mlp.fc2.bias": normal(WIDTH),
        }
    return made


def norm(rows: np.ndarray, weight, bias, eps: float) -> np.ndarray:
    middle, spread = rows.mean(-1, keepdims=True), rows.var(-1, keepdims=True)
    return (rows - middle) / np.sqrt(spread + eps) * array(weight) + array(bias)


def gelu(rows: np.ndarray) -> np.ndarray:
    return rows * 0.5 * (1 + np.vectorize(math.erf)(rows / math.sqrt(2)))


def softmax(rows: np.ndarray) -> np.ndarray:
    grown = np.exp(rows - rows.max(-1, keepdims=True))
    return grown / grown.sum(-1, keepdims=True)


def array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.double().numpy()


def patches_of(bank: np.ndarray, weight, step: int) -> np.ndarray:
    """(rows, width), the first axis of the picture first."""
    kernel = array(weight)[:, 0]
    size = kernel.shape[-1]
    rows = []
    for top in range(0, bank.shape[0] - size + 1, step):
        for left in range(0, bank.shape[1] - size + 1, step):
            rows.append((kernel * bank[top : top + size, left : left + size]).sum((1, 2)))
    return np.array(rows)


def reference_imagebind(kept: dict[str, torch.Tensor], bank: np.ndarray) -> list[np.ndarray]:
    audio = "modality_preprocessors.audio."
    rows = patches_of(bank, kept[audio + "rgbt_stem.proj.weight"], 10)
    rows = norm(rows, kept[audio + "rgbt_stem.norm_layer.weight"], kept[audio + "rgbt_stem.norm_layer.bias"], 1e-5)
    rows = (
        np.concatenate([array(kept[audio + "cls_token"])[0], rows])
        + array(kept[audio + "pos_embedding_helper.pos_embed"])[0]
    )
    said = []
    for block in range(BLOCKS):
        own = {
            name.removeprefix(f"modality_trunks.audio.blocks.{block}."): tensor
            for name, tensor in kept.items()
            if name.startswith(f"modality_trunks.audio.blocks.{block}.")
        }
        seen = norm(rows, own["norm_1.weight"], own["norm_1.bias"], 1e-6)
        query, key, value = np.split(seen @ array(own["attn.in_proj_weight"]).T + array(own["attn.in_proj_bias"]), 3, 1)
        key = np.concatenate([key, array(own["attn.bias_k"])[0]])
        value = np.concatenate([value, array(own["attn.bias_v"])[0]])
        head, mixed = WIDTH // HEADS, []
        for one in range(HEADS):
            part = slice(one * head, (one + 1) * head)
            mixed.append(softmax(query[:, part] @ key[:, part].T / math.sqrt(head)) @ value[:, part])
        rows = rows + np.concatenate(mixed, 1) @ array(own["attn.out_proj.weight"]).T + array(own["attn.out_proj.bias"])
        seen = norm(rows, own["norm_2.weight"], own["norm_2.bias"], 1e-6)
        grown = gelu(seen @ array(own["mlp.fc1.weight"]).T + array(own["mlp.fc1.bias"]))
        rows = rows + grown @ array(own["mlp.fc2.weight"]).T + array(own["mlp.fc2.bias"])
        said.append(rows)
    return said


def test_imagebind_says_what_its_paper_says_at_every_layer(tmp_path):
    checkpoint = imagebind_checkpoint()
    torch.save(checkpoint, tmp_path / "imagebind.pth")
    shape = {"width": WIDTH, "blocks": BLOCKS, "heads": HEADS}
    encoder = ImageBindEncoder((1, 2, 3), tmp_path / "imagebind.pth", **shape)
    wave = noise(2.0)
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 399)
    bank = np.zeros((128, 204))
    bank[:, :198] = reference_bank(wave - wave.mean(), taper).T
    found = encoder.encode(wave, RATE_HZ)
    for layer, expected in enumerate(reference_imagebind(checkpoint, (bank + 4.268) / 9.138), 1):
        grid = expected[1:].reshape(12, 19, WIDTH).transpose(1, 0, 2)
        grid = (grid - grid.mean(-1, keepdims=True)) / np.sqrt(grid.var(-1, keepdims=True) + 1e-5)
        columns = len(found.layers[str(layer)])
        assert columns == 20, "one more for the last hundredths of a second"
        assert np.abs(found.layers[str(layer)][:19].numpy() - grid).max() < 2e-3


def test_longer_sounds_are_heard_in_stretches_and_the_last_ends_with_the_sound(tmp_path):
    torch.save(imagebind_checkpoint(), tmp_path / "imagebind.pth")
    encoder = ImageBindEncoder((2,), tmp_path / "imagebind.pth", width=WIDTH, blocks=BLOCKS, heads=HEADS)
    wave = noise(4.2)
    whole = encoder.encode(wave, RATE_HZ).layers["2"]
    second = encoder.encode(wave[round(1.9 * RATE_HZ) : round(3.9 * RATE_HZ)], RATE_HZ).layers["2"][:19]
    last = encoder.encode(wave[round(2.3 * RATE_HZ) :], RATE_HZ).layers["2"][:19]
    assert len(whole) == encoder.columns(4.2) == 42
    assert torch.allclose(whole[19:38], second, atol=1e-4)
    assert torch.allclose(whole[38:], last[15:], atol=1e-4)


# ---- BEATs

CFG = {
    "input_patch_size": 16, "embed_dim": 16, "encoder_layers": 3, "encoder_embed_dim": WIDTH,
    "encoder_ffn_embed_dim": 40, "encoder_attention_heads": HEADS, "conv_pos": 8, "conv_pos_groups": 4,
    "num_buckets": 32, "max_distance": 80, "layer_norm_first": False, "deep_norm": True,
    "relative_position_embedding": True, "gru_rel_pos": True, "conv_bias": False, "activation_fn": "gelu",
}  # fmt: skip


def pair(name: str, rows: int, columns: int, scale: float = 0.2) -> dict[str, torch.Tensor]:
    """A Linear's weight and bias."""
    return {f"{name}.weight": normal(rows, columns, scale=scale), f"{name}.bias": normal(rows)}


def beats_checkpoint() -> dict:
    head = WIDTH // HEADS
    made = {
        "patch_embedding.weight": normal(16, 1, 16, 16),
        "layer_norm.weight": 1 + normal(16), "layer_norm.bias": normal(16),
        "post_extract_proj.weight": normal(WIDTH, 16), "post_extract_proj.bias": normal(WIDTH),
        "encoder.pos_conv.0.weight_g": 1 + normal(1, 1, 8), "encoder.pos_conv.0.weight_v": normal(WIDTH, WIDTH // 4, 8),
        "encoder.pos_conv.0.bias": normal(WIDTH),
        "encoder.layer_norm.weight": 1 + normal(WIDTH), "encoder.layer_norm.bias": normal(WIDTH),
        "predictor.weight": normal(5, WIDTH), "predictor.bias": normal(5),
    }  # fmt: skip
    shared = normal(32, HEADS, scale=1.0)
    for layer in range(3):
        name = f"encoder.layers.{layer}."
        for linear in ("q_proj", "k_proj", "v_proj", "out_proj"):
            made |= pair(f"{name}self_attn.{linear}", WIDTH, WIDTH)
        made |= pair(f"{name}self_attn.grep_linear", 8, head, scale=1.0)
        made |= {
            f"{name}self_attn.grep_a": 1 + normal(1, HEADS, 1, 1),
            f"{name}self_attn.relative_attention_bias.weight": shared,
        }
        for kind in ("self_attn_layer_norm", "final_layer_norm"):
            made |= {f"{name}{kind}.weight": 1 + normal(WIDTH), f"{name}{kind}.bias": normal(WIDTH)}
        made |= pair(f"{name}fc1", 40, WIDTH) | pair(f"{name}fc2", WIDTH, 40)
    return {"cfg": CFG | {"dropout": 0.1}, "model": made}


def test_beats_reads_checkpoints_that_newer_torch_saved(tmp_path):
    checkpoint = beats_checkpoint()
    torch.save(checkpoint, tmp_path / "old.pt")
    model, conv = checkpoint["model"], "encoder.pos_conv.0"
    model[f"{conv}.parametrizations.weight.original0"] = model.pop(f"{conv}.weight_g")
    model[f"{conv}.parametrizations.weight.original1"] = model.pop(f"{conv}.weight_v")
    torch.save(checkpoint, tmp_path / "new.pt")
    old, new = (
        BeatsEncoder((3,), tmp_path / name, width=WIDTH).encode(noise(0.655), RATE_HZ).layers["3"]
        for name in ("old.pt", "new.pt")
    )
    assert torch.equal(old, new)
    del model[f"{conv}.parametrizations.weight.original0"]
    torch.save(checkpoint, tmp_path / "none.pt")
    with pytest.raises(BadInput, match="not of beats"):
        BeatsEncoder((3,), tmp_path / "none.pt", width=WIDTH).encode(noise(0.655), RATE_HZ)


def bucket(distance: int) -> int:
    """T5's, for 32 buckets up to a distance of 80."""
    behind, size = (16 if distance > 0 else 0), abs(distance)
    if size < 8:
        return behind + size
    return behind + min(8 + int(math.log(size / 8) / math.log(80 / 8) * 8), 15)


def test_far_places_share_buckets_as_in_t5():
    distances = torch.arange(-100, 101)
    assert relative_buckets(distances, buckets=32, furthest=80).tolist() == [bucket(d) for d in distances.tolist()]


def reference_beats(kept: dict[str, torch.Tensor], bank: np.ndarray) -> list[np.ndarray]:
    rows = patches_of(bank, kept["patch_embedding.weight"], 16)
    rows = norm(rows, kept["layer_norm.weight"], kept["layer_norm.bias"], 1e-5)
    rows = rows @ array(kept["post_extract_proj.weight"]).T + array(kept["post_extract_proj.bias"])
    direction, length = array(kept["encoder.pos_conv.0.weight_v"]), array(kept["encoder.pos_conv.0.weight_g"])
    kernel = direction / np.sqrt((direction**2).sum((0, 1), keepdims=True)) * length
    wide, group = np.pad(rows, ((4, 4), (0, 0))), WIDTH // 4
    moved = np.zeros_like(rows)
    for place in range(len(rows)):
        for out in range(WIDTH):
            first = out // group * group
            moved[place, out] = (wide[place : place + 8, first : first + group].T * kernel[out]).sum()
    rows = rows + gelu(moved + array(kept["encoder.pos_conv.0.bias"]))
    rows = norm(rows, kept["encoder.layer_norm.weight"], kept["encoder.layer_norm.bias"], 1e-5)
    table = array(kept["encoder.layers.0.self_attn.relative_attention_bias.weight"])
    places, head, said = len(rows), WIDTH // HEADS, []
    buckets = np.array([[bucket(key - query) for key in range(places)] for query in range(places)])
    for layer in range(3):
        own = {
            name.removeprefix(f"encoder.layers.{layer}."): tensor
            for name, tensor in kept.items()
            if name.startswith(f"encoder.layers.{layer}.")
        }
        linear = lambda name, given, own=own: given @ array(own[f"{name}.weight"]).T + array(own[f"{name}.bias"])  # noqa: E731
        query, key, value = (linear(f"self_attn.{name}_proj", rows) for name in "qkv")
        mixed = []
        for one in range(HEADS):
            part = slice(one * head, (one + 1) * head)
            gates = 1 / (1 + np.exp(-linear("self_attn.grep_linear", query[:, part]).reshape(places, 2, 4).sum(-1)))
            strength = gates[:, :1] * (gates[:, 1:] * array(own["self_attn.grep_a"])[0, one, 0, 0] - 1) + 2
            scores = query[:, part] @ key[:, part].T / math.sqrt(head) + strength * table[buckets, one]
            mixed.append(softmax(scores) @ value[:, part])
        alpha = (2 * 3) ** 0.25
        rows = rows * alpha + linear("self_attn.out_proj", np.concatenate(mixed, 1))
        rows = norm(rows, own["self_attn_layer_norm.weight"], own["self_attn_layer_norm.bias"], 1e-5)
        rows = rows * alpha + linear("fc2", gelu(linear("fc1", rows)))
        rows = norm(rows, own["final_layer_norm.weight"], own["final_layer_norm.bias"], 1e-5)
        said.append(rows)
    return said


def test_beats_says_what_its_paper_says_at_every_layer(tmp_path):
    checkpoint = beats_checkpoint()
    torch.save(checkpoint, tmp_path / "beats.pt")
    encoder = BeatsEncoder((1, 2, 3), tmp_path / "beats.pt", width=WIDTH)
    wave = noise(0.655)
    taper = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 399)) ** 0.85
    bank = (reference_bank(wave * 2.0**15, taper) - 15.41663) / (2 * 6.55582)
    columns = len(bank) // 16
    found = encoder.encode(wave, RATE_HZ)
    for layer, expected in enumerate(reference_beats(checkpoint["model"], bank[: columns * 16]), 1):
        grid = expected.reshape(columns, 8, WIDTH)
        grid = (grid - grid.mean(-1, keepdims=True)) / np.sqrt(grid.var(-1, keepdims=True) + 1e-5)
        assert np.abs(found.layers[str(layer)].numpy() - grid).max() < 2e-3


# ---- the library's own


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    from transformers import (
        ASTConfig,
        ASTFeatureExtractor,
        ASTModel,
        PeAudioEncoder,
        PeAudioEncoderConfig,
        Wav2Vec2Config,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2Model,
    )
    from transformers.models.pe_audio.feature_extraction_pe_audio import PeAudioFeatureExtractor

    root = tmp_path_factory.mktemp("transformers")
    torch.manual_seed(0)
    small = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    Wav2Vec2Model(
        Wav2Vec2Config(**small, conv_dim=(16,) * 7, num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=4)
    ).save_pretrained(root / "wav2vec2")
    Wav2Vec2FeatureExtractor().save_pretrained(root / "wav2vec2")
    ASTModel(ASTConfig(**small)).save_pretrained(root / "ast")
    ASTFeatureExtractor().save_pretrained(root / "ast")
    dac = {"encoder_hidden_size": 4, "codebook_dim": 8}
    PeAudioEncoder(PeAudioEncoderConfig(**small, head_dim=12, dac_config=dac)).save_pretrained(root / "pe-audio")
    PeAudioFeatureExtractor().save_pretrained(root / "pe-audio")
    return root


@pytest.mark.parametrize("name", ["wav2vec2", "ast", "pe-audio"])
def test_the_librarys_hidden_states_come_out_on_a_grid(name, folders):
    encoder = TransformersEncoder(name, (0, 2), folders / name)
    # Just as long as whole columns are: nothing is filled up.
    seconds = {"wav2vec2": 2.005, "ast": 2.075, "pe-audio": 2.0}[name]
    wave = noise(seconds, encoder.rate_hz)
    bank = encoder.encode(wave, encoder.rate_hz)
    model, extract = encoder._model, encoder._extract
    with torch.no_grad():
        given = extract(wave, sampling_rate=encoder.rate_hz, return_tensors="pt")["input_values"]
        states = model(given, output_hidden_states=True).hidden_states[2][0]
    for spec in encoder.layers:
        assert bank.layers[spec.name].shape == (encoder.columns(seconds), spec.tokens, spec.width)
    if name == "ast":
        column, frequency = 5, 3
        row = states[2 + frequency * 101 + column]
        found = bank.layers["2"][column, frequency]
    else:
        column = 7
        row = states[column + (1 if name == "pe-audio" and len(states) > encoder.columns(seconds) else 0)]
        found = bank.layers["2"][column, 0]
    assert torch.allclose(found, torch.nn.functional.layer_norm(row, row.shape), atol=1e-5)


@pytest.mark.parametrize("name", ["wav2vec2", "ast", "pe-audio"])
def test_a_layer_that_is_not_there_is_said(name, folders):
    with pytest.raises(BadInput, match="no layer 9"):
        TransformersEncoder(name, (9,), folders / name).encode(noise(1.0), RATE_HZ)


# ---- all of them


@pytest.mark.parametrize("layers", [(0,), (99,), (-1,), (2, 2)])
@pytest.mark.parametrize("name", ["mel", "imagebind", "beats"])
def test_layers_that_are_not_there_or_named_twice_are_refused_when_it_is_opened(name, layers):
    with pytest.raises(BadInput, match=f"{name} has no layer|a layer twice"):
        open_encoder(EncoderConfig(name=name, layers=layers))


@pytest.mark.parametrize(("name", "last"), [("wav2vec2", 12), ("ast", 12), ("pe-audio", 6)])
def test_the_librarys_layers_count_from_the_embeddings(name, last):
    assert [spec.name for spec in open_encoder(EncoderConfig(name=name, layers=(0, last))).layers] == ["0", str(last)]
    for layer in (-1, last + 1):
        with pytest.raises(BadInput, match=f"no layer {layer}"):
            open_encoder(EncoderConfig(name=name, layers=(layer,)))


@pytest.mark.parametrize("layer", [0, 99])
def test_a_dry_run_refuses_a_layer_that_is_not_there(layer):
    with pytest.raises(BadInput, match=f"imagebind has no layer {layer}"):
        dry_run(stage_config(1, encoders=[{"name": "imagebind", "layers": [layer]}]))


def test_a_shallower_checkpoint_of_beats_is_refused_for_layers_it_lacks(tmp_path):
    torch.save(beats_checkpoint(), tmp_path / "beats.pt")
    with pytest.raises(BadInput, match="beats has no layer 4"):
        BeatsEncoder((3, 4), tmp_path / "beats.pt", width=WIDTH).encode(noise(1.0), RATE_HZ)


@pytest.mark.parametrize("name", ["wav2vec2", "ast", "pe-audio"])
def test_a_folder_says_how_many_layers_there_are_before_anything_is_encoded(name, folders, tmp_path):
    with pytest.raises(BadInput, match="no layer 3"):
        open_encoder(EncoderConfig(name=name, layers=(1, 3), weights=folders / name))
    with pytest.raises(BadInput, match=f"is no {name}"):
        open_encoder(EncoderConfig(name=name, weights=tmp_path))


@pytest.fixture
def every(folders, tmp_path):
    torch.save(imagebind_checkpoint(), tmp_path / "imagebind.pth")
    torch.save(beats_checkpoint(), tmp_path / "beats.pt")
    shape = {"width": WIDTH, "blocks": BLOCKS, "heads": HEADS}
    return {
        "mel": open_encoder(EncoderConfig(name="mel")),
        "imagebind": ImageBindEncoder((1, 3), tmp_path / "imagebind.pth", **shape),
        "beats": BeatsEncoder((2,), tmp_path / "beats.pt", width=WIDTH),
        **{name: TransformersEncoder(name, (1, 2), folders / name) for name in ("wav2vec2", "ast", "pe-audio")},
    }


@pytest.mark.parametrize("name", sorted(ENCODERS))
@pytest.mark.parametrize("seconds", [0.5, 2.0, 2.0416666])
def test_columns_are_known_before_a_sound_is_encoded(every, name, seconds):
    encoder = every[name]
    bank = encoder.encode(noise(seconds, 44_100), 44_100)
    assert {len(rows) for rows in bank.layers.values()} == {encoder.columns(seconds)}
    assert [(spec.name, (spec.tokens, spec.width)) for spec in encoder.layers] == [
        (layer, tuple(rows.shape[1:])) for layer, rows in bank.layers.items()
    ]
    last_s = (encoder.columns(seconds) - 1) * encoder.hop_s + encoder.width_s
    assert seconds - max(encoder.hop_s - encoder.width_s, 1e-3) <= last_s <= seconds + encoder.hop_s + encoder.width_s
    assert all(rows.isfinite().all() for rows in bank.layers.values())


@pytest.mark.parametrize("name", ["imagebind", "beats", "ast"])
def test_the_end_of_a_sound_is_heard(every, name):
    """In a window of 49 frames at 24 fps a burst in the last 20 ms is in the last column."""
    encoder, seconds = every[name], 49 / 24
    quiet = noise(seconds) * 0.01
    burst = quiet.copy()
    burst[-round(0.02 * RATE_HZ) :] += noise(0.02)
    one, other = (encoder.encode(wave, RATE_HZ).layers[encoder.layers[0].name] for wave in (quiet, burst))
    assert int((one - other).abs().mean(dim=(1, 2)).argmax()) == len(one) - 1


@pytest.mark.parametrize("name", ["imagebind", "beats", "wav2vec2", "ast"])
def test_a_burst_changes_most_the_columns_that_cover_it(every, name):
    """At one of two instants, so that both sounds are equally loud."""
    encoder, moments = every[name], (0.4, 1.2)
    sounds = []
    for at in moments:
        wave = noise(2.0) * 0.01
        wave[round(at * RATE_HZ) : round((at + 0.02) * RATE_HZ)] += noise(0.02)
        sounds.append(encoder.encode(wave, RATE_HZ).layers[encoder.layers[0].name])
    column = int((sounds[0] - sounds[1]).abs().mean(dim=(1, 2)).argmax())
    begin, end = column * encoder.hop_s, column * encoder.hop_s + encoder.width_s
    assert any(begin <= at + 0.02 and end >= at for at in moments)


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_licences_are_named_and_versions_follow_the_weights(every, name):
    assert every[name].licence
    assert every[name].version == every[name].version
    every[name].release()


@pytest.mark.parametrize("name", sorted(set(ENCODERS) - {"mel"}))
def test_missing_weights_are_said_with_what_mends_it(name, tmp_path):
    for weights in (None, tmp_path / "gone"):
        with pytest.raises(Unavailable) as error:
            _ = open_encoder(EncoderConfig(name=name, weights=weights)).version
        assert "weights: PATH" in error.value.remedy
    assert open_encoder(EncoderConfig(name=name)).layers, "shapes are known without weights"


class Evil:
    def __reduce__(self):
        return (print, ("executed",))


@pytest.mark.parametrize("name", ["imagebind", "beats"])
@pytest.mark.parametrize("content", ["code", "garbage", "another model"])
def test_a_file_that_is_no_such_checkpoint_is_refused_and_nothing_in_it_runs(name, content, tmp_path, capsys):
    path = tmp_path / "weights.pt"
    if content == "code":
        path.write_bytes(pickle.dumps({"model": Evil()}))
    elif content == "garbage":
        path.write_bytes(b"not a checkpoint")
    else:
        torch.save({"cfg": {}, "model": {"encoder.pos_conv.0.weight_v": torch.zeros(1, 1, 1),
                    "encoder.pos_conv.0.weight_g": torch.ones(1, 1, 1),
                    "encoder.layers.0.self_attn.relative_attention_bias.weight": torch.zeros(1)}}, path)  # fmt: skip
    with pytest.raises(BadInput):
        open_encoder(EncoderConfig(name=name, weights=path)).encode(noise(1.0), RATE_HZ)
    assert "executed" not in capsys.readouterr().out
