"""Several processes that train one adapter, as torchrun starts them.

Each rank takes its slice of every batch; gradients are averaged by one all-reduce of all of them, flat. The adapter is
small, so nothing is gained by overlapping; and without a wrapper around it, hooks and checkpoints stay what they are. A
frozen generator that does not fit one device is sharded by FSDP2, block by block.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, nn
from torch import distributed as dist

from shards.errors import BadInput, Unavailable

PATIENCE = timedelta(days=7)
"""Ranks wait so long for each other: one may encode or pretrain for hours. torchrun ends all when one of them dies, so
a short time would find nothing that it does not [ours]."""


@dataclass(frozen=True, slots=True)
class World:
    """This process among the others."""

    rank: int
    size: int
    device: str

    @property
    def leads(self) -> bool:
        """Whether this is the rank that writes."""
        return self.rank == 0

    def wait(self) -> None:
        """Until all ranks are here."""
        if self.size > 1:
            dist.barrier()

    def slice(self, samples: Sequence[int]) -> Sequence[int]:
        """This rank's part of a batch.

        Raises:
            BadInput: it cannot be dealt out evenly.
        """
        if len(samples) % self.size:
            raise BadInput(
                f"a batch of {len(samples)} cannot be dealt to {self.size} processes",
                remedy=f"set batch to a multiple of {self.size}",
            )
        count = len(samples) // self.size
        return samples[self.rank * count : (self.rank + 1) * count]

    def average(self, tensors: Iterable[Tensor]) -> None:
        """The mean over ranks, in place."""
        given = [tensor for tensor in tensors if tensor is not None]
        if self.size == 1 or not given:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in given])
        dist.all_reduce(flat)
        flat /= self.size
        first = 0
        for tensor in given:
            tensor.copy_(flat[first : first + tensor.numel()].view_as(tensor))
            first += tensor.numel()

    def gathered(self, rows: Tensor) -> Tensor:
        """Rows of all ranks, one behind the other; all have equally many."""
        if self.size == 1:
            return rows
        parts = [torch.empty_like(rows) for _ in range(self.size)]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    def total(self, count: int) -> int:
        """The sum of what each rank counted."""
        if self.size == 1:
            return count
        counted = torch.tensor([count], device=self.device)
        dist.all_reduce(counted)
        return int(counted.item())

    def share(self, count: int) -> list[int]:
        """This rank's of `count` items, as many as every other rank's: the last ones may be the last item again."""
        each = -(-count // self.size)
        return [min(self.rank * each + place, count - 1) for place in range(each)]

    def any(self, said: bool) -> bool:
        """Whether one rank says so: all must leave the loop at the same step."""
        if self.size == 1:
            return said
        flag = torch.tensor([float(said)], device=self.device)
        dist.all_reduce(flag, op=dist.ReduceOp.MAX)
        return bool(flag.item())


ALONE = World(0, 1, "cpu")


def chosen_device(wanted: str) -> str:
    """ "cuda" where "auto" finds one; a device that is asked for by name must be there.

    Raises:
        Unavailable: it is not.
    """
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted != "cpu" and not torch.cuda.is_available():
        raise Unavailable(
            f"this machine has no device {wanted!r}: torch finds no GPU",
            remedy="choose `device` cpu or auto: --device cpu, or --set device=cpu in training",
        )
    return wanted


def join(device: str) -> World:
    """The world that torchrun made, or this process alone."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return World(0, 1, device)
    local = int(os.environ["LOCAL_RANK"])
    if device.startswith("cuda"):
        device = f"cuda:{local}"
        torch.cuda.set_device(local)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo", timeout=PATIENCE)
    return World(dist.get_rank(), size, device)


def leave() -> None:
    """Say goodbye to the other ranks."""
    if dist.is_initialized():
        dist.destroy_process_group()


def shard_network(network: nn.Module, world: World) -> None:
    """Spread the weights of a frozen generator over all ranks; each block is gathered while it computes."""
    if world.size == 1:
        return
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh("cuda" if world.device.startswith("cuda") else "cpu", (world.size,))
    for block in getattr(network, "blocks", []):
        fully_shard(block, mesh=mesh)
    fully_shard(network, mesh=mesh)
