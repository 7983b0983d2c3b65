"""Batches that shrink until they fit into memory."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")

# What torch, CUDA's libraries and onnxruntime say, in errors of many types.
_MESSAGES = ("out of memory", "alloc_failed", "can't allocate memory", "failed to allocate memory")


class FittingBatches(Generic[T, R]):
    """Applies a function to batches, and halves them when memory runs out. Threads may share it.

    Attributes:
        size: items that are tried together: at first as given, later what did fit.
    """

    def __init__(self, function: Callable[[Sequence[T]], Sequence[R]], size: int) -> None:
        self._function = function
        self.size = size
        self._running = 0
        self._change = threading.Condition()

    def __call__(self, items: Sequence[T]) -> list[R | MemoryError]:
        """The result for each item, or a MemoryError where one does not fit even with nothing beside it."""
        results: list[R | MemoryError] = []
        size, all_fit = self.size, True
        while len(results) < len(items):
            batch = items[len(results) : len(results) + size]
            outcome = self._attempt(batch, self._beside)
            if isinstance(outcome, MemoryError) and len(batch) == 1:
                outcome = self._attempt(batch, self._alone)
                if isinstance(outcome, MemoryError):
                    outcome, all_fit, size = [outcome], False, self.size
            if isinstance(outcome, MemoryError):
                size = len(batch) // 2
            else:
                results += outcome
        if all_fit:  # one item that never fits says nothing about the others
            self.size = min(self.size, size)
        return results

    def _attempt(
        self, batch: Sequence[T], room: Callable[[], Iterator[None]]
    ) -> Sequence[R | MemoryError] | MemoryError:
        try:
            with contextmanager(room)():
                return self._function(batch)
        except Exception as error:
            message = str(error)
            if not isinstance(error, MemoryError) and not any(said in message.lower() for said in _MESSAGES):
                raise
        # Past the except clause, which kept the failed tensors alive.
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()
        return MemoryError(message)

    def _beside(self) -> Iterator[None]:
        """While other threads run theirs."""
        with self._change:
            self._running += 1
        try:
            yield
        finally:
            with self._change:
                self._running -= 1
                self._change.notify_all()

    def _alone(self) -> Iterator[None]:
        """While no other thread does."""
        with self._change:
            self._change.wait_for(lambda: not self._running)
            yield
