"""Rotary position in seconds: pairs of numbers turned by angles proportional to a time distance.

Periods run geometrically from 0.16 s, four columns of the finest encoder, to 5 s, longer than any window (RoPE, Su et
al. 2021; metric time as in LTX-2) [ours].
"""

import math

import torch
from torch import Tensor

SHORTEST_PERIOD_S = 0.16
LONGEST_PERIOD_S = 5.0


def rotary_angles(offset_s: Tensor, head_width: int) -> Tensor:
    """(..., head_width / 2) angles in radians of time distances (...)."""
    pairs = head_width // 2
    steps = torch.arange(pairs, dtype=offset_s.dtype) / max(pairs - 1, 1)
    periods_s = SHORTEST_PERIOD_S * (LONGEST_PERIOD_S / SHORTEST_PERIOD_S) ** steps
    return offset_s.unsqueeze(-1) * (2 * math.pi / periods_s)


def turned(rows: Tensor, angles: Tensor) -> Tensor:
    """Rows (..., head_width) with pair (i, i + head_width / 2) turned by angles (..., head_width / 2)."""
    first, second = rows.chunk(2, dim=-1)
    cos, sin = angles.cos().to(rows.dtype), angles.sin().to(rows.dtype)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)
