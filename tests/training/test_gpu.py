"""What only a GPU shows: half precision, compiled blocks, a host that never waits. Skipped where there is none."""

import pytest
import torch
from torch import nn

from bench.training import Subject, random_batch
from shards.errors import TrainingError
from training.loop.ema import ema_update
from training.loop.objective import noise_loss
from training.settings.config import stage_config
from training.stages.stage import train_stage

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")

DEVICE = "cuda"
SMALL = {
    "tiny": {},
    "wan2.2-ti2v-5b": {"frames": 9, "size_px": (64, 64)},
    "wan2.1-1.3b": {"frames": 9, "size_px": (64, 64)},
    "animatediff": {"frames": 4, "size_px": (64, 64)},
}


def subject(name: str, **changes) -> Subject:
    """A generator of its true depth and width at random weights; only its videos are small."""
    torch.manual_seed(0)
    made = Subject(stage_config(1, backbone=name, batch=2, device=DEVICE, **SMALL[name], **changes), DEVICE)
    for site in made.adapter.site_attentions():
        nn.init.normal_(site.out.weight, std=0.01)
    return made


def loss_of(one: Subject, scale: float) -> torch.Tensor:
    batch = random_batch(one.adapter.config, one.backbone, 2).to(DEVICE)
    one.adapter.scale = scale
    with torch.no_grad(), one.adapter.attached(one.backbone.network), one.adapter.conditioned(batch.features):
        return noise_loss(one.backbone, batch)


@pytest.mark.parametrize("name", SMALL)
def test_at_zero_it_is_the_base_bit_for_bit(name):
    one = subject(name)
    with torch.no_grad():
        base = noise_loss(one.backbone, random_batch(one.adapter.config, one.backbone, 2).to(DEVICE))
    assert torch.equal(loss_of(one, 0.0), base) and not torch.equal(loss_of(one, 1.0), base)
    for site in one.adapter.site_attentions():
        nn.init.zeros_(site.out.weight)
    assert torch.equal(loss_of(one, 1.0), base)


@pytest.mark.parametrize("name", SMALL)
def test_the_host_never_waits_within_a_step(name):
    one = subject(name)
    average = {key: weight.detach().clone() for key, weight in one.adapter.named_parameters()}
    one.train(0)
    torch.cuda.set_sync_debug_mode("error")
    try:
        one.train(1)
        ema_update(average, one.adapter.named_parameters(), decay=0.9)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("name", ["tiny", "wan2.1-1.3b", "animatediff"])
def test_compiled_blocks_learn_the_same(name):
    grads = []
    for compiled in (False, True):
        one = subject(name, compile=compiled)
        one.train(0)
        grads.append(torch.cat([weight.grad.flatten() for weight in one.adapter.parameters()]))
    assert torch.nn.functional.cosine_similarity(*grads, dim=0) > 0.99


def test_a_device_without_memory_is_said():
    one = subject("wan2.1-1.3b")
    torch.cuda.empty_cache()
    taken = torch.cuda.memory_reserved() / torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(taken)
    try:
        with pytest.raises(TrainingError, match="no memory left at step 1"):
            one.train(0)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def test_a_stage_trains_as_on_a_processor(snapshots_root, tmp_path):
    losses = []
    for device in (DEVICE, "cpu"):
        config = stage_config(1, device=device, steps=4, save_every=2, pretrain={"steps": 4}, held_out=0.25)
        result = train_stage(config, snapshots_root=snapshots_root, runs_root=tmp_path / device)
        assert result.finished
        losses.append([result.first_loss, result.last_loss])
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
