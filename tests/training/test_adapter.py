"""The adapter hears through its window only, starts as nothing, and survives a trip to disk."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from shards.errors import BadInput, TrainingError
from training.adapter.budget import trainable_share, within_budget
from training.adapter.config import AdapterConfig, AudioRow, Site
from training.adapter.files import load_adapter, save_adapter
from training.adapter.layer import AudioAdapter
from training.timing import VideoTiming

CONFIG = AdapterConfig(
    rows=(AudioRow("mel", "fine", 50, 1, 6, 0.04, 0.032), AudioRow("mel", "onset", 50, 2, 5, 0.04, 0.032)),
    sites=(Site("blocks.0", 24), Site("blocks.1", 24)),
    video=VideoTiming(12, 6),
    radius_s=0.2,
    audio_width=10,
    inner_width=16,
    heads=2,
)


def features(clips: int = 2) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return {r.key: torch.randn(clips, r.columns, r.tokens, r.width, generator=generator) for r in CONFIG.rows}


def awake_adapter() -> AudioAdapter:
    torch.manual_seed(0)
    adapter = AudioAdapter(CONFIG)
    for site in adapter.sites:
        nn.init.normal_(site.out.weight, std=0.1)
    nn.init.normal_(adapter.null)
    return adapter


def through(adapter: AudioAdapter, sound, **options) -> torch.Tensor:
    """Twelve frames of four tokens through an identity with the adapter's first site behind it."""
    torch.manual_seed(1)
    hidden = torch.randn(len(next(iter(sound.values()))), 48, 24)
    network = places()
    with adapter.attached(network), adapter.conditioned(sound, **options):
        return network["blocks"][0](hidden) - hidden


def places() -> nn.Module:
    """A network with the modules that the sites name."""
    return nn.ModuleDict({"blocks": nn.ModuleList([nn.Identity(), nn.Identity()])})


def test_counts_its_parameters_exactly():
    assert sum(p.numel() for p in AudioAdapter(CONFIG).parameters()) == CONFIG.parameters()


def test_adds_nothing_before_the_first_step_and_at_scale_zero():
    assert through(AudioAdapter(CONFIG), features()).abs().max() == 0
    adapter = awake_adapter()
    assert through(adapter, features()).abs().max() > 0
    adapter.scale = 0.0
    assert through(adapter, features()).abs().max() == 0


def test_a_sound_changes_only_the_frames_whose_window_holds_it():
    quiet, loud = features(), features()
    column = 20  # centre 0.816 s; frames of centre +- (0.2 + 1/12) s hear it
    loud["mel/fine"] = loud["mel/fine"].clone()
    loud["mel/fine"][:, column] += 1.0
    adapter = awake_adapter()
    change = (through(adapter, loud) - through(adapter, quiet)).unflatten(1, (12, 4)).abs().amax(dim=(0, 2, 3))
    centres = torch.from_numpy(CONFIG.video.frame_centres_s())
    assert torch.equal(change > 1e-6, (centres - 0.816).abs() <= 0.2 + 1 / 12)


def test_the_same_sound_at_another_distance_means_something_else():
    adapter = awake_adapter()
    early, late = ({k: torch.zeros_like(v) for k, v in features(1).items()} for _ in range(2))
    early["mel/fine"][:, 19], late["mel/fine"][:, 22] = 1.0, 1.0
    frame = slice(4 * 5, 4 * 6)
    assert not torch.allclose(through(adapter, early)[:, frame], through(adapter, late)[:, frame], atol=1e-4)


def test_a_clip_that_is_not_heard_sees_the_null_token_alone():
    adapter = awake_adapter()
    heard = torch.tensor([True, False])
    mixed = through(adapter, features(), audio_mask=heard)
    changed = {key: value + 1.0 for key, value in features().items()}
    other = through(adapter, changed, audio_mask=heard)
    assert torch.equal(mixed[1], other[1]) and not torch.equal(mixed[0], other[0])
    assert mixed[1, 4:].abs().max() > 0


def test_leaves_a_clean_first_frame_alone():
    adapter = awake_adapter()
    assert through(adapter, features())[:, :4].abs().max() == 0
    assert through(adapter, features(), image_mask=torch.tensor([False, False]))[:, :4].abs().max() > 0


def test_hooks_leave_with_the_block():
    network = places()
    with AudioAdapter(CONFIG).attached(network):
        assert all(place._forward_hooks for place in network["blocks"])
    assert not any(place._forward_hooks for place in network["blocks"])


def test_another_network_is_refused():
    with (
        pytest.raises(BadInput, match="not what this adapter was trained on"),
        AudioAdapter(CONFIG).attached(nn.Identity()),
    ):
        pass


def test_saved_and_loaded_it_says_the_same(tmp_path):
    adapter = awake_adapter()
    save_adapter(tmp_path, CONFIG, adapter.state_dict(), notes={"backbone": "tiny"})
    loaded = load_adapter(tmp_path)
    assert loaded.adapter.config == CONFIG and loaded.notes == {"backbone": "tiny"}
    assert torch.equal(through(loaded.adapter, features()), through(adapter, features()))


def test_refuses_a_folder_without_an_adapter_and_foreign_weights(tmp_path):
    with pytest.raises(BadInput, match="holds no adapter"):
        load_adapter(tmp_path)
    other = AudioAdapter(replace(CONFIG, inner_width=32))
    save_adapter(tmp_path, CONFIG, other.state_dict(), notes={})
    with pytest.raises(BadInput, match="do not fit"):
        load_adapter(tmp_path)


@settings(deadline=None)
@given(st.integers(100_000, 10_000_000), st.floats(0.005, 0.1))
def test_the_widest_adapter_within_the_budget_is_found(backbone, budget):
    try:
        fitted = within_budget(CONFIG, backbone_parameters=backbone, budget=budget, step=16)
    except TrainingError:
        narrowest = replace(CONFIG, inner_width=16).parameters()
        assert trainable_share(narrowest, backbone) > budget
        return
    assert trainable_share(fitted.parameters(), backbone) <= budget
    if fitted.inner_width < 8192:
        wider = replace(fitted, inner_width=fitted.inner_width + 16)
        assert trainable_share(wider.parameters(), backbone) > budget


def test_attached_within_itself_it_adds_its_sound_once():
    network, adapter, hidden = places(), awake_adapter(), torch.randn(2, 48, 24)
    place = network["blocks"][0]
    with torch.no_grad(), adapter.conditioned(features()):
        with adapter.attached(network):
            once = place(hidden)
            with adapter.attached(network):
                assert torch.equal(place(hidden), once)
            assert torch.equal(place(hidden), once)
        assert torch.equal(place(hidden), hidden) and not torch.equal(once, hidden)
