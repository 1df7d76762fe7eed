"""Compiled blocks: a block with an adapter's hook and one without never share what was compiled."""

from functools import partialmethod

import pytest
import torch
from torch import nn

from bench.training import Subject
from tests.training.staging import lines, losses, quick
from training.settings.config import stage_config
from training.settings.options import SiteChoice


@pytest.fixture
def graphs(monkeypatch):
    """Graphs that Dynamo made, run as they are: what is tested is which block runs which."""
    made = []

    def keep(graph, _inputs):
        made.append(graph)
        return graph

    torch._dynamo.reset()
    with torch._dynamo.config.patch(skip_nnmodule_hook_guards=True, recompile_limit=8):
        monkeypatch.setattr(nn.Module, "compile", partialmethod(nn.Module.compile, backend=keep))
        yield made
    torch._dynamo.reset()


def gradient(*, compiled: bool, steps: int = 2) -> torch.Tensor:
    torch.manual_seed(0)
    one = Subject(stage_config(1, batch=2, device="cpu", sites=SiteChoice.LATE, compile=compiled), "cpu")
    for site in one.adapter.site_attentions():
        nn.init.normal_(site.out.weight, std=0.01)
    for step in range(steps):
        one.bare(step)
        one.train(step)
    return torch.cat([weight.grad.flatten() for weight in one.adapter.parameters()])


def test_blocks_with_and_without_sound_are_compiled_apart(graphs):
    assert torch.allclose(gradient(compiled=True), gradient(compiled=False), rtol=1e-4, atol=1e-7)
    assert 2 <= len(graphs) <= 6


def test_a_compiled_run_trains_probes_and_samples_as_any_other(graphs, run):
    settings = quick(sites=SiteChoice.LATE, steps=2, probe_every=1, sample_every=2, samples=1)
    plain, compiled = run(settings), run(settings.model_copy(update={"compile": True}))
    assert graphs and losses(compiled) == pytest.approx(losses(plain), rel=1e-4)
    probes = [[line["probe"]["matched"] for line in lines(one) if "probe" in line] for one in (plain, compiled)]
    assert len(probes[0]) == 2 and probes[1] == pytest.approx(probes[0], rel=1e-4)
