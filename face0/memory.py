"""Batches that shrink until they fit into memory."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")


class FittingBatches(Generic[T, R]):
    """Applies a function to batches, and halves them when memory runs out.

    The size that did fit is remembered, so that the next call starts with it.
    """

    def __init__(self, function: Callable[[Sequence[T]], Sequence[R]], size: int) -> None:
        self._function = function
        self.size = size

    def __call__(self, items: Sequence[T]) -> list[R | MemoryError]:
        """The result for each item, or a MemoryError where one item alone does not fit."""
        results: list[R | MemoryError] = []
        while len(results) < len(items):
            batch = items[len(results) : len(results) + self.size]
            try:
                results += self._function(batch)
                continue
            except (MemoryError, RuntimeError) as error:
                if not _out_of_memory(error):
                    raise
                message = str(error)
            # Past the except clause, which kept the failed tensors alive.
            if torch.cuda.is_initialized():
                torch.cuda.empty_cache()
            if len(batch) == 1:
                results.append(MemoryError(message))
            else:
                self.size = len(batch) // 2
        return results


def _out_of_memory(error: Exception) -> bool:
    # torch's CPU allocator raises a plain RuntimeError.
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)
