"""The sync classifier: a picture net and a sound net whose outputs are compared step by step.

The predecessor joins its two nets by a perceptron over whole clips [pred]; here the score phi of a picture span and a
sound span is the correlation of their features over time, so it needs far fewer videos to learn from, and one pass over
a video scores every pair of its spans [ours].
"""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from shards.errors import BadInput
from shards.synchrony.features import MEL_BANDS, SPAN_STEPS

WIDTH = 32
FORMAT = "clapboard-sync-net-1"
STILL = 1e-2
"""Features of a span that vary less than this are no cue: without it rounding errors would be correlated."""


class SyncNet(nn.Module):
    """Features of pictures and sounds on one 25 Hz clock.

    Args:
        width: numbers a step that the two are compared by.
    """

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.picture = nn.Sequential(
            nn.Conv3d(2, 24, (1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)),
            nn.ReLU(),
            nn.Conv3d(24, 24, (5, 1, 1), padding=(2, 0, 0)),
            nn.ReLU(),
            nn.Conv3d(24, 48, (1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)),
            nn.ReLU(),
            nn.Conv3d(48, 48, (3, 1, 1), padding=(1, 0, 0)),
            nn.ReLU(),
        )
        self.picture_head = _head(2 * 48, width)
        self.sound = nn.Sequential(
            nn.Conv2d(1, 16, (5, 3), stride=(2, 2), padding=(2, 1)),
            nn.ReLU(),
            nn.Conv2d(16, 32, (5, 3), stride=(2, 2), padding=(2, 1)),
            nn.ReLU(),
            nn.Conv2d(32, 32, (3, 3), stride=(1, 2), padding=1),
            nn.ReLU(),
        )
        self.sound_head = _head(32 * (MEL_BANDS // 8), width)

    def pictures(self, features: Tensor) -> Tensor:
        """(videos, 2, steps, 12, 12) to (videos, width, steps)."""
        maps = self.picture(features).flatten(3)
        made: Tensor = self.picture_head(torch.cat([maps.mean(dim=3), maps.amax(dim=3)], dim=1))
        return made

    def sounds(self, features: Tensor) -> Tensor:
        """(videos, 4 x steps, 40) to (videos, width, steps)."""
        maps = self.sound(features[:, None])
        made: Tensor = self.sound_head(maps.permute(0, 1, 3, 2).flatten(1, 2))
        return made


def spans(features: Tensor, *, starts: Tensor) -> Tensor:
    """(videos, spans, width x 50) two-second spans of (videos, width, steps), about their own mean, of length one."""
    steps = starts[:, None] + torch.arange(SPAN_STEPS, device=features.device)
    cut = features[:, :, steps].permute(0, 2, 1, 3)
    cut = cut - cut.mean(dim=3, keepdim=True)
    return nn.functional.normalize(cut.flatten(2), dim=2, eps=STILL)


def phi(pictures: Tensor, sounds: Tensor) -> Tensor:
    """(videos, picture spans, sound spans) correlations in [-1, 1] of two `spans`."""
    return torch.einsum("bpw,bsw->bps", pictures, sounds)


def save_net(net: SyncNet, path: Path, facts: dict[str, Any]) -> None:
    """Write the weights as safetensors, with how they were made in the header."""
    from safetensors.torch import save_file

    header = {"format": FORMAT, "facts": json.dumps(facts, sort_keys=True)}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous().cpu() for name, value in net.state_dict().items()}, str(path), header)


def load_net(path: Path) -> tuple[SyncNet, dict[str, Any]]:
    """The network, ready to score, and the facts about its making.

    Raises:
        BadInput: the file is not there, or holds something else.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            header = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        if header.get("format") != FORMAT:
            raise BadInput(f"{path} is no sync classifier", remedy="clapboard sync train makes one")
        net = SyncNet(state["sound_head.2.weight"].shape[0])
        net.load_state_dict(state)
    except (OSError, SafetensorError, KeyError, RuntimeError) as error:
        raise BadInput(f"{path} holds no sync classifier: {error}", remedy="clapboard sync train makes one") from error
    return net.eval(), json.loads(header.get("facts", "{}"))


def _head(inputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv1d(inputs, 96, 5, padding=2), nn.ReLU(), nn.Conv1d(96, width, 1))
