"""Progress of a loop."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def counted(items: Iterable[T], total: int, unit: str) -> Iterator[T]:
    """The items, with a line on how many of them are done: in place on a terminal, else now and then."""
    live, started = sys.stderr.isatty(), time.monotonic()
    printed = started
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - printed >= (0.5 if live else 30) or (live and done == total):
            left = (now - started) / done * (total - done)
            line = f"{done:,}/{total:,} {unit}, {_clock(left)} left"
            sys.stderr.write(f"\r{line}\033[K" if live else f"{line}\n")
            sys.stderr.flush()
            printed = now
    if live:
        sys.stderr.write("\n")


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"
