"""Threads: how many a process may have, and work in them in order and with bounded look-ahead."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def ordered_map(function: Callable[[T], R], items: Iterable[T], workers: int, ahead: int) -> Iterator[R]:
    """``map`` through a thread pool: results in the order of the items, at most ``ahead`` items drawn in advance.

    The items themselves are drawn in the caller's thread. An exception of the function is raised in its place.
    """
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[R]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) >= ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def threads_per_process(asked: int | None, processes: int = 1) -> int:
    """Threads for each of so many worker processes of one machine, so that together they fill its cores once."""
    return asked or max(1, len(os.sched_getaffinity(0)) // processes)
