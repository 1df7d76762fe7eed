"""Batches of a snapshot by step number, for training that is stopped, moved and scaled at will.

    reader = StepReader(snapshot, Shuffled(snapshot.shard_sizes(), seed=1), batch=64, rank=r, ranks=n)
    loader = DataLoader(reader, batch_size=None, sampler=range(resume_at, last), num_workers=8)

A `DataLoader` asks its workers for steps in turn, so any number of them gives the same batches in the same order.
Within a Prefect flow pass `multiprocessing_context="forkserver"`: forked workers end with an error of Prefect's client.
"""

from shards.errors import BadInput
from shards.order import Order, draws_of
from shards.reader import ClipReader
from shards.schema import Record
from shards.snapshot import Snapshot


class StepReader:
    """`reader[step]` is this rank's part of a step's batch."""

    def __init__(self, snapshot: Snapshot, order: Order, *, batch: int, rank: int = 0, ranks: int = 1) -> None:
        """`batch` counts the clips of all ranks together.

        Raises:
            BadInput: the batch cannot be shared out equally, or there is no such rank.
        """
        if batch < 1 or ranks < 1 or batch % ranks or not 0 <= rank < ranks:
            raise BadInput(
                f"a batch of {batch} cannot be shared out to rank {rank} of {ranks}",
                remedy="choose a batch that the number of ranks divides, and 0 <= rank < ranks",
            )
        if not len(order):
            raise BadInput(f"{snapshot.id} has no clips to read", remedy="publish some first")
        self._clips = ClipReader(snapshot)
        self._order, self._batch, self._rank, self._ranks = order, batch, rank, ranks

    def __len__(self) -> int:
        """Steps that begin in the first epoch; later steps go on into the next ones."""
        return -(-len(self._order) // self._batch)

    def __getitem__(self, step: int) -> list[Record]:
        """The clips of a step, which may be of any epoch.

        Raises:
            SnapshotError: the bytes of a clip are not those that were published.
        """
        draws = draws_of(step, batch=self._batch, rank=self._rank, ranks=self._ranks)
        return [self._clips[self._order.at(draw)] for draw in draws]

    def close(self) -> None:
        """Close the shard files."""
        self._clips.close()
