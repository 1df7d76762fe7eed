"""The only trained thing: audio tokens, and one audio cross-attention per site of a frozen backbone.

Every encoder layer has a Linear of its own into a common token width (multi-feature conditioning), and frame k attends
to the tokens within [t_k - r, t_k + r] (window attention) [paper]. Per site, with h_j the tokens of latent frame j:

    K, V     = A Wk, A Wv                        A: audio tokens and, last, one learned null token
    K_j, V_j = K[window j] turned by c_i - t_j,  V[window j]
    y_j      = softmax(h_j Wq K_j^T / sqrt(e)) V_j
    h_j     <- h_j + (scale * gain_j * y_j) Wo   Wo starts at zero; gain is 0 for a clean first frame, else 1

Keys are turned by rotary angles of their distance in seconds to the frame (as in LTX-2 and MMAudio; `rotary.py`), the
null token by none [ours]. Missing places of a window and all places of a dropped sound are the null token too, so no
mask is needed [ours]. The layer is added by a forward hook behind the text cross-attention; the backbone's own
parameters are never touched, and with scale 0, or before the first step, it is the backbone bit for bit. The layer
computes in the backbone's precision, its own weights are float32.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from shards.errors import BadInput
from training.adapter.config import AdapterConfig, Site
from training.adapter.rotary import rotary_angles, turned

_PER_CLIP = ("tokens", "gain")
_HALVES = (torch.bfloat16, torch.float16)


@dataclass(frozen=True, slots=True)
class AudioCondition:
    """What the sites need during one forward pass.

    Attributes:
        tokens: (clips, slots + 1, audio_width) audio tokens, the null token last.
        index: (latents, places) int64 into the slots; `slots` is the null token.
        angles: (latents, places, head / 2) rotary angles of the places.
        gain: (clips, latents) 0 for a first latent frame that is given, to which nothing is added; 1 for all others.
    """

    tokens: Tensor
    index: Tensor
    angles: Tensor
    gain: Tensor


class SiteAttention(nn.Module):
    """Audio cross-attention of one site, `site.width` wide outside and `inner_width` inside."""

    def __init__(self, site: Site, config: AdapterConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.query = nn.Linear(site.width, config.inner_width, bias=False)
        self.key = nn.Linear(config.audio_width, config.inner_width, bias=False)
        self.value = nn.Linear(config.audio_width, config.inner_width, bias=False)
        self.out = nn.Linear(config.inner_width, site.width, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(self, hidden_states: Tensor, condition: AudioCondition, *, scale: float = 1.0) -> Tensor:
        """Normalised tokens -> what the sound adds to them.

        Transformers give (clips, latents * places, width), UNets (clips * latents, places, width): the same in memory.
        """
        clips, latents = condition.gain.shape
        query = (
            self.query(hidden_states)
            .reshape(clips * latents, -1, self.query.out_features)
            .unflatten(-1, (self.heads, -1))
        )
        keys, values = self._windows(self.key, condition, turn=True), self._windows(self.value, condition, turn=False)
        mixed = functional.scaled_dot_product_attention(
            query.transpose(1, 2), keys.transpose(1, 2), values.transpose(1, 2)
        )
        # Scaled here, where rows are narrow, and not behind `out`, where they are as wide as the backbone's.
        gain = (scale * condition.gain).to(mixed.dtype).view(-1, 1, 1)
        added: Tensor = self.out(mixed.transpose(1, 2).flatten(2) * gain)
        return added.reshape(hidden_states.shape)

    def _windows(self, linear: nn.Linear, condition: AudioCondition, *, turn: bool) -> Tensor:
        """(clips * latents, places, heads, head) each latent frame's window of keys or values."""
        rows = linear(condition.tokens).unflatten(-1, (self.heads, -1))
        # Not rows[:, index]: its backward pass sorts the index, that of index_select adds at once.
        windows: Tensor = rows.index_select(1, condition.index.flatten()).unflatten(1, condition.index.shape)
        if turn:
            windows = turned(windows, condition.angles.unsqueeze(-2))
        return windows.flatten(0, 1)


class AudioAdapter(nn.Module):
    """Projections, null token and one `SiteAttention` per site; trained, saved and loaded apart from the backbone."""

    window_index: Tensor
    window_angles: Tensor

    def __init__(self, config: AdapterConfig) -> None:
        super().__init__()
        self.config = config
        self.scale = 1.0
        self.projections = nn.ModuleList(nn.Linear(row.width, config.audio_width) for row in config.rows)
        self.null = nn.Parameter(torch.zeros(config.audio_width))
        self.sites = nn.ModuleList(SiteAttention(site, config) for site in config.sites)
        index, offset_s = config.slot_table()
        angles = rotary_angles(torch.from_numpy(offset_s), config.inner_width // config.heads)
        self.register_buffer("window_index", torch.from_numpy(index), persistent=False)
        self.register_buffer("window_angles", angles.float(), persistent=False)
        self._condition: AudioCondition | None = None
        self._hooked: list[nn.Module] = []

    def site_attentions(self) -> list[SiteAttention]:
        """The attention of each site, in the config's order."""
        return [site for site in self.sites if isinstance(site, SiteAttention)]

    def tokens(self, features: Mapping[str, Tensor], *, audio_mask: Tensor | None = None) -> Tensor:
        """(clips, slots + 1, audio_width) from "encoder/layer" -> (clips, time, tokens, width); null comes last.

        A clip that is not in `audio_mask` has null tokens alone.
        """
        rows = [
            linear(features[row.key].to(self.null.dtype)).flatten(1, 2)
            for row, linear in zip(self.config.rows, self.projections, strict=True)
        ]
        tokens = torch.cat([*rows, self.null.expand(len(rows[0]), 1, -1)], dim=1)
        return tokens if audio_mask is None else torch.where(audio_mask.view(-1, 1, 1), tokens, self.null)

    @contextmanager
    def conditioned(
        self, features: Mapping[str, Tensor], *, audio_mask: Tensor | None = None, image_mask: Tensor | None = None
    ) -> Iterator[None]:
        """Let the sites hear `features` until the block ends; keep it open until backward has run.

        Args:
            features: "encoder/layer" -> (clips, time, tokens, width).
            audio_mask: (clips,) bool, False where the sound is dropped; all are heard by default.
            image_mask: (clips,) bool, False where the first latent frame is no given image; all are given by default.
        """
        tokens = self.tokens(features, audio_mask=audio_mask)
        gain = torch.ones(len(tokens), len(self.window_index), device=tokens.device)
        gain[:, 0] = 0.0 if image_mask is None else (~image_mask).to(gain.dtype)
        self._condition = AudioCondition(tokens, self.window_index, self.window_angles, gain)
        try:
            yield
        finally:
            self._condition = None

    def expand_to(self, clips: int) -> None:
        """Let so many clips at once have the sound of the one that there is (guidance puts several in a batch)."""
        now = self._condition
        if now is not None and len(now.tokens) != clips:
            alike = {name: getattr(now, name)[:1].expand(clips, *getattr(now, name).shape[1:]) for name in _PER_CLIP}
            self._condition = replace(now, **alike)

    @contextmanager
    def attached(self, network: nn.Module) -> Iterator[None]:
        """Hook the sites behind the network's modules of the same names until the block ends.

        Within such a block, as where a run probes itself, they are hooked already: twice would add the sound twice.

        Raises:
            BadInput: the network has no such modules.
        """
        if any(one is network for one in self._hooked):
            yield
            return
        try:
            places = [network.get_submodule(site.name) for site in self.config.sites]
        except AttributeError as error:
            raise BadInput(
                f"{type(network).__name__} is not what this adapter was trained on: {error}",
                remedy="use the backbone that the adapter's notes name",
            ) from error
        handles = [
            place.register_forward_hook(self._hook(attention))
            for place, attention in zip(places, self.sites, strict=True)
        ]
        # In a list: as an attribute the network would become a part of the adapter.
        self._hooked.append(network)
        try:
            yield
        finally:
            self._hooked.remove(network)
            for handle in handles:
                handle.remove()

    def _hook(self, attention: nn.Module) -> Any:
        def add_sound(_module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            if self._condition is None or self.scale == 0.0:
                return output
            hidden_states = inputs[0] if (half := inputs[0].dtype in _HALVES) else inputs[0].to(self.null.dtype)
            with torch.autocast(hidden_states.device.type, hidden_states.dtype, enabled=half):
                added: Tensor = attention(hidden_states, self._condition, scale=self.scale)
            return output + added.to(output.dtype)

        return add_sound
