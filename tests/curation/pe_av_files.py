"""PE-AV as small as it can be, at random weights: the library's real code, saved as the released folders are."""

import contextlib
import sys

import torch

TOWER = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "head_dim": 16
}  # fmt: skip
FRAMES = {
    "architecture": "vit_pe_core_large_patch14_336", "do_pooling": True, "global_pool": "map", "num_labels": 24,
    "model_args": {"embed_dim": 32, "depth": 1, "num_heads": 2, "mlp_ratio": 2.0},
}  # fmt: skip
CODEC = {"model_type": "dac", "downsampling_ratios": [2, 8, 10, 12], "encoder_hidden_size": 4, "codebook_dim": 8}
WORDS = {
    "model_type": "modernbert", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1,
    "num_attention_heads": 2, "vocab_size": 100,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2,
}  # fmt: skip


def tiny_model(seed=0):
    """The library's own class, with weights so large that clips differ, and a logit like a trained one's."""
    from transformers import PeAudioVideoConfig, PeAudioVideoModel

    sound = {"model_type": "pe_audio_encoder", "dac_config": CODEC, **TOWER}
    picture = {"model_type": "pe_video_encoder", "vision_config": FRAMES, **TOWER}
    both = {"audio_config": sound, "video_config": picture, **TOWER}
    with contextlib.redirect_stdout(sys.stderr):
        model = PeAudioVideoModel(PeAudioVideoConfig(text_config=WORDS, audio_video_config=both)).eval()
    drawn = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.2, generator=drawn)
    torch.nn.init.constant_(model.audio_video_logit_scale, 3.0)
    torch.nn.init.constant_(model.audio_video_logit_bias, -1.0)
    return model


def put(model, folder, name="pe-av"):
    """Save as `save_pretrained` does and add it, as `clapboard weights add` would."""
    from shards.weights import add_local

    model.save_pretrained(folder)
    return add_local(name, folder)
