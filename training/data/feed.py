"""Batches ahead of time: threads read and put together what the next steps will need."""

import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

import torch

from training.data.batches import Batch, Draw, batch_of
from training.data.clips import Examples
from training.parallel import World


class Feed:
    """This rank's slices of the batches, in order; what they hold does not depend on how many are made ahead."""

    def __init__(self, clips: Examples, draw: Draw, world: World, *, batch: int, ahead: int) -> None:
        self._clips, self._draw, self._world, self._batch, self._ahead = clips, draw, world, batch, ahead
        self._threads = ThreadPoolExecutor(max(ahead, 1), thread_name_prefix="feed")
        self._coming: deque[tuple[int, Future[Batch]]] = deque()

    def __enter__(self) -> "Feed":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(cancel_futures=True)

    def take(self, step: int) -> tuple[Batch, float]:
        """The batch of a step, and the seconds that were spent waiting for it."""
        begin = time.perf_counter()
        if not self._ahead:
            return self._made(step), time.perf_counter() - begin
        if not self._coming or self._coming[0][0] != step:
            self._coming.clear()
            self._coming.append((step, self._threads.submit(self._made, step)))
        while len(self._coming) <= self._ahead:
            after = self._coming[-1][0] + 1
            self._coming.append((after, self._threads.submit(self._made, after)))
        batch = self._coming.popleft()[1].result()
        return batch, time.perf_counter() - begin

    def _made(self, step: int) -> Batch:
        samples: Sequence[int] = range(step * self._batch, (step + 1) * self._batch)
        made = batch_of(self._clips, self._draw, self._world.slice(samples))
        return made.pinned() if self._world.device.startswith("cuda") and torch.cuda.is_available() else made
