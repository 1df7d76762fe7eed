"""The whole of Synchformer: two towers, and a transformer that compares what they say of a row of segments.

A segment is 0.64 s; one begins every 0.32 s, and the released models look at 14 of them (4.8 s), the fine-tuned one of
synchronisability at 13. The rows `OFF, picture, MOD, sound` pass three layers, and a head reads the first (section 2).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from curation.encoders.synchformer import picture, sound
from curation.encoders.synchformer.picture import PictureTower
from curation.encoders.synchformer.sound import SoundTower
from shards.errors import BadInput

ROWS_A_SEGMENT = picture.INSTANTS + sound.INSTANTS
IGNORED = ("vfeat_extractor.patch_embed.proj.",)
"""In the checkpoints and never used: Motionformer's patches of single frames."""

_HEADS = {"off_head": 21, "sync_head": 2}
_HEAD_WIDTH, _COMPARING_HEADS = 64, 8


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes; these are of the released models (configs/sync.yaml, and divided_224_16x4.yaml of Motionformer).

    Heads are 64 wide in the towers, and 8 in the transformer that compares.
    """

    width: int = 768
    picture_blocks: int = 12
    sound_blocks: int = 12
    blocks: int = 3
    segments: int = 14
    head: str = "off_head"

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> "Shape":
        """The sizes that a checkpoint's tensors have."""
        places = tensors["transformer.pos_emb_cfg.pos_emb"].shape[1]
        return cls(
            width=tensors["vproj.weight"].shape[0],
            picture_blocks=_count(tensors, "vfeat_extractor.blocks."),
            sound_blocks=_count(tensors, "afeat_extractor.ast.encoder.layer."),
            blocks=_count(tensors, "transformer.blocks."),
            segments=(places - 2) // ROWS_A_SEGMENT,
            head=next(name for name in _HEADS if f"transformer.{name}.weight" in tensors),
        )


class Synchformer(nn.Module):
    """The network; names as in the checkpoints."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width, heads = shape.width, shape.width // _HEAD_WIDTH
        self.shape = shape
        self.vfeat_extractor = PictureTower(width, shape.picture_blocks, heads)
        self.afeat_extractor = SoundTower(width, shape.sound_blocks, heads)
        self.vproj, self.aproj = nn.Linear(width, width), nn.Linear(width, width)
        self.transformer = Comparer(shape)

    def see(self, images: Tensor) -> Tensor:
        """(segments, 8, width) features of (segments, 16, 224, 224, 3) uint8 RGB at 25 frames a second."""
        said: Tensor = self.vfeat_extractor(images.permute(0, 4, 1, 2, 3).float() / 127.5 - 1)
        return said

    def hear(self, banks: Tensor) -> Tensor:
        """(segments, 6, width) features of (segments, 128, 66) spectrograms by `sound.log_mel`."""
        said: Tensor = self.afeat_extractor(banks)
        return said

    def compare(self, seen: Tensor, heard: Tensor) -> Tensor:
        """(n, classes) logits from features of both, (n, segments, 8, width) and (n, segments, 6, width).

        Class c of `off_head`: the sound is early by -2 + 0.2 c s. Of `sync_head`: 0 not to be synchronised, 1 so.
        """
        said: Tensor = self.transformer(self.vproj(seen), self.aproj(heard))
        return said


class Comparer(nn.Module):
    """The transformer over all rows of both; names as in the checkpoint's `transformer`."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width = shape.width
        self.segments, self.head = shape.segments, shape.head
        self.vis_in_lnorm, self.aud_in_lnorm, self.ln_f = (nn.LayerNorm(width) for _ in range(3))
        self.OFF_tok, self.MOD_tok = (nn.Parameter(torch.zeros(1, 1, width)) for _ in range(2))
        self.pos_emb_cfg = nn.ParameterDict({"pos_emb": torch.zeros(1, 2 + shape.segments * ROWS_A_SEGMENT, width)})
        self.blocks = nn.ModuleList(_Block(width, _COMPARING_HEADS) for _ in range(shape.blocks))
        self.add_module(shape.head, nn.Linear(width, _HEADS[shape.head]))

    def forward(self, seen: Tensor, heard: Tensor) -> Tensor:
        """Logits from projected features (n, segments, 8, width) and (n, segments, 6, width)."""
        count, segments = seen.shape[:2]
        off, mod = (token.expand(count, -1, -1) for token in (self.OFF_tok, self.MOD_tok))
        picture_rows, sound_rows = self.vis_in_lnorm(seen.flatten(1, 2)), self.aud_in_lnorm(heard.flatten(1, 2))
        rows = torch.cat([off, picture_rows, mod, sound_rows], dim=1) + self._places(segments)
        for block in self.blocks:
            rows = block(rows)
        said: Tensor = self.get_submodule(self.head)(self.ln_f(rows)[:, 0])
        return said

    def _places(self, segments: int) -> Tensor:
        """The learned positions; with fewer segments, those of the first ones of each kind, so that all keep theirs."""
        off, pictures, mod, sounds = self.pos_emb_cfg["pos_emb"].split(
            [1, self.segments * picture.INSTANTS, 1, self.segments * sound.INSTANTS], dim=1
        )
        first = pictures[:, : segments * picture.INSTANTS], sounds[:, : segments * sound.INSTANTS]
        return torch.cat([off, first[0], mod, first[1]], dim=1)


class _Block(nn.Module):
    """A pre-norm transformer layer under minGPT's names."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = _Attention(width, heads)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, rows: Tensor) -> Tensor:
        rows = rows + self.attn(self.ln1(rows))
        added: Tensor = self.mlp(self.ln2(rows))
        return rows + added


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.key, self.query, self.value, self.proj = (nn.Linear(width, width) for _ in range(4))

    def forward(self, rows: Tensor) -> Tensor:
        query, key, value = (
            linear(rows).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for linear in (self.query, self.key, self.value)
        )
        mixed = nn.functional.scaled_dot_product_attention(query, key, value)
        said: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return said


def network_of(tensors: Mapping[str, Tensor]) -> Synchformer:
    """The network that a checkpoint's tensors are of.

    Raises:
        BadInput: a tensor is missing, too many, or of another shape; `IGNORED` may be there and is left out.
    """
    used = {name: tensor for name, tensor in tensors.items() if not name.startswith(IGNORED)}
    try:
        # On the meta device nothing is drawn at random first: the checkpoint's own tensors take their places.
        with torch.device("meta"):
            network = Synchformer(Shape.of(used))
        network.load_state_dict(used, assign=True)
    except (RuntimeError, KeyError, StopIteration, ZeroDivisionError, AttributeError, IndexError) as error:
        first = [line.strip() for line in str(error).splitlines()[1:2]] or [f"it lacks {error}"]
        raise BadInput(
            f"this is no checkpoint of Synchformer: {first[0][:200]}", remedy="use a file that its authors released"
        ) from error
    return network.requires_grad_(False).eval().float()


def _count(tensors: Mapping[str, Tensor], prefix: str) -> int:
    """How many blocks of a name there are."""
    return len({name.removeprefix(prefix).split(".")[0] for name in tensors if name.startswith(prefix)})
