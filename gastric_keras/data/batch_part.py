"""Which rows of every batch a process makes, where several workers train."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf


@dataclass(frozen=True)
class BatchPart:
    """The rows of one worker: as many as any other's, one behind the other.

    All parts side by side are the batch that one process alone would make.

    Attributes:
        place: of the worker, from 0.
        workers: number of all; 1: the whole batch.
    """

    place: int = 0
    workers: int = 1

    def size(self, batch_size: int) -> int:
        """Rows of this part; the batch must be a multiple of the workers."""
        return batch_size // self.workers

    def whole(self, size: tf.Tensor) -> tf.Tensor:
        """Rows of the batch of which these are a part.

        What is drawn for the patches is drawn for all of them, then cut to ``rows``.
        """
        return size * self.workers

    def rows(self, batch: tf.Tensor) -> tf.Tensor:
        """The rows of this part, (N, …) to (N / workers, …)."""
        if self.workers == 1:
            return batch
        size = tf.shape(batch)[0] // self.workers
        return batch[self.place * size : (self.place + 1) * size]


#: What a process makes that trains alone.
WHOLE = BatchPart()
