"""Batches that shrink until they fit into memory, or until the item that a library cannot take is alone."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

import torch

from face0.runtime.device_errors import is_device_failure, is_out_of_memory

T = TypeVar("T")
R = TypeVar("R")


class FittingBatches(Generic[T, R]):
    """Applies a function to batches, and halves them when memory runs out, or when it raises. Threads may share it.

    Attributes:
        size: items that are tried together: at first as given, later what did fit.
    """

    def __init__(self, function: Callable[[Sequence[T]], Sequence[R]], size: int) -> None:
        self._function = function
        self.size = size
        self._running = 0
        self._change = threading.Condition()

    def __call__(self, items: Sequence[T]) -> list[R | Exception]:
        """The result for each item, or the error that it raises by itself: a MemoryError where memory was short.

        Raises:
            Exception: the GPU has failed; see ``is_device_failure``.
        """
        results: list[R | Exception] = []
        size, all_fit = self.size, True
        while len(results) < len(items):
            batch = items[len(results) : len(results) + size]
            outcome = self._attempt(batch, self._beside)
            if isinstance(outcome, MemoryError) and len(batch) == 1:
                outcome = self._attempt(batch, self._alone)
            if isinstance(outcome, Exception) and len(batch) == 1:
                outcome, all_fit, size = [outcome], False, self.size
            if isinstance(outcome, MemoryError):
                size = len(batch) // 2
            elif isinstance(outcome, Exception):
                size, all_fit = len(batch) // 2, False
            else:
                results += outcome
        if all_fit:  # one item that never fits says nothing about the others
            self.size = min(self.size, size)
        return results

    def _attempt(self, batch: Sequence[T], room: Callable[[], Iterator[None]]) -> Sequence[R | Exception] | Exception:
        try:
            with contextmanager(room)():
                return self._function(batch)
        except Exception as error:
            if is_device_failure(error):
                raise
            failure = MemoryError(str(error)) if is_out_of_memory(error) else error.with_traceback(None)
        # Past the except clause, which kept the failed tensors alive.
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()
        return failure

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
