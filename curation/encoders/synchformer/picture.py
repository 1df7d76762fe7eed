"""How Synchformer sees 16 frames: Motionformer (Patrick et al. 2021) with divided attention, one row an instant.

Patches of 2 frames by 16 x 16 pixels; each block attends along time, then within each instant, the class token to all
(TimeSformer, Bertasius et al. 2021, section 3). Then one more layer reads the patches of each instant into one row.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

FRAMES, SIDE_PX = 16, 224
INSTANTS, PATCHES = FRAMES // 2, (SIDE_PX // 16) ** 2


class PictureTower(nn.Module):
    """(segments, 3, 16, 224, 224) in [-1, 1] -> (segments, 8, width); names as in the files' `vfeat_extractor`."""

    def __init__(self, width: int, blocks: int, heads: int) -> None:
        super().__init__()
        self.patch_embed_3d = nn.ModuleDict({"proj": nn.Conv3d(3, width, (2, 16, 16), (2, 16, 16))})
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + PATCHES, width))
        self.temp_embed = nn.Parameter(torch.zeros(1, INSTANTS, width))
        self.blocks = nn.ModuleList(_Block(width, heads) for _ in range(blocks))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.spatial_attn_agg = Reader(width, heads)

    def forward(self, frames: Tensor) -> Tensor:
        """One row for each pair of frames."""
        patches = self.patch_embed_3d["proj"](frames).flatten(3).permute(0, 2, 3, 1)
        patches = patches + self.pos_embed[:, None, 1:] + self.temp_embed[:, :, None]
        start = (self.cls_token + self.pos_embed[:, :1]).expand(len(frames), -1, -1)
        rows = torch.cat([start, patches.flatten(1, 2)], dim=1)
        for block in self.blocks:
            rows = block(rows)
        patches = self.norm(rows[:, 1:]).reshape(len(frames) * INSTANTS, PATCHES, -1)
        return self.spatial_attn_agg.read(patches).reshape(len(frames), INSTANTS, -1)


class Reader(nn.TransformerEncoderLayer):
    """A pre-norm layer over a set and one learned row, of which only that row is kept: what the set says."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__(
            width,
            heads,
            4 * width,
            dropout=0.0,
            activation=gelu,
            layer_norm_eps=1e-6,
            batch_first=True,
            norm_first=True,
        )
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))

    def read(self, rows: Tensor) -> Tensor:
        """(sets, rows, width) -> (sets, width)."""
        said: Tensor = self(torch.cat([self.cls_token.expand(len(rows), -1, -1), rows], dim=1))
        return said[:, 0]


class _Block(nn.Module):
    """Attention along time, within instants, and two layers; each pre-norm with a residual."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width, eps=1e-6) for _ in range(3))
        self.attn, self.timeattn = DividedAttention(width, heads), DividedAttention(width, heads)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)})

    def forward(self, rows: Tensor) -> Tensor:
        rows = rows + self.timeattn(self.norm3(rows), along_time=True)
        rows = rows + self.attn(self.norm1(rows), along_time=False)
        added: Tensor = self.mlp["fc2"](gelu(self.mlp["fc1"](self.norm2(rows))))
        return rows + added


class DividedAttention(nn.Module):
    """A patch attends to the class token and to the patches at its place, or at its instant; the class token to all."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, rows: Tensor, *, along_time: bool) -> Tensor:
        """(segments, 1 + instants * patches, width), instants outermost."""
        query, key, value = self.qkv(rows).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        start = scaled_dot_product_attention(query[:, :, :1], key, value)
        keys, values = (_with_start(one, along_time) for one in (key, value))
        mixed = scaled_dot_product_attention(_groups(query[:, :, 1:], along_time), keys, values)
        said: Tensor = self.proj(
            torch.cat([start, _rows(mixed, len(rows), along_time)], dim=2).transpose(1, 2).flatten(2)
        )
        return said


def _groups(patches: Tensor, along_time: bool) -> Tensor:
    """(segments, heads, instants * patches, head) -> (segments * groups, heads, members, head)."""
    segments, heads, _, head = patches.shape
    grid = patches.reshape(segments, heads, INSTANTS, PATCHES, head)
    return grid.permute(0, 3, 1, 2, 4).flatten(0, 1) if along_time else grid.transpose(1, 2).flatten(0, 1)


def _with_start(rows: Tensor, along_time: bool) -> Tensor:
    """The groups of the patches, each led by the class token."""
    groups = _groups(rows[:, :, 1:], along_time)
    start = rows[:, :, :1].repeat_interleave(PATCHES if along_time else INSTANTS, dim=0)
    return torch.cat([start, groups], dim=2)


def _rows(groups: Tensor, segments: int, along_time: bool) -> Tensor:
    """The groups put back: (segments, heads, instants * patches, head)."""
    grid = groups.reshape(segments, -1, *groups.shape[1:])
    return (grid.permute(0, 2, 3, 1, 4) if along_time else grid.transpose(1, 2)).flatten(2, 3)
