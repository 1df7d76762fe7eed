"""Many threads, one model: what waits while a batch is computed becomes the next batch.

So batches fill up by themselves when the model is what everyone waits for, and nothing waits for a batch to fill up
when it is not.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from curation.encoders.base import Embeddings

Rows = NDArray[np.float32]


class Batcher:
    """Calls one function on rows from many threads, at most `size` rows at a time, in one thread of its own."""

    def __init__(self, run: Callable[[Rows], Embeddings], *, size: int) -> None:
        self._run, self._size = run, size
        self._waiting: SimpleQueue[tuple[Rows, Future[Embeddings]]] = SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def __call__(self, rows: Rows) -> Embeddings:
        """The function's rows for these rows; raises what it raised."""
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="encoder", daemon=True)
                self._thread.start()
        parts = [rows[first : first + self._size] for first in range(0, len(rows), self._size)]
        futures = [Future[Embeddings]() for _ in parts]
        for part, future in zip(parts, futures, strict=True):
            self._waiting.put((part, future))
        return np.concatenate([future.result() for future in futures])

    def _serve(self) -> None:
        held = self._waiting.get()
        while True:
            batch, count = [held], len(held[0])
            while not self._waiting.empty() and count < self._size:
                batch.append(self._waiting.get())
                count += len(batch[-1][0])
            # The last one may have been too many; it begins the next batch.
            over = [batch.pop()] if count > self._size else []
            self._answer(batch)
            held = over[0] if over else self._waiting.get()

    def _answer(self, batch: Sequence[tuple[Rows, Future[Embeddings]]]) -> None:
        try:
            made = self._run(np.concatenate([rows for rows, _ in batch]) if len(batch) > 1 else batch[0][0])
        except BaseException as error:
            for _, future in batch:
                future.set_exception(error)
            return
        first = 0
        for rows, future in batch:
            future.set_result(made[first : first + len(rows)])
            first += len(rows)
