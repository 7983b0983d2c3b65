"""Requests to stop: a signal asks once, and the work ends where it is safe to end."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from face0.io.retries import giving_up

SIGNALS = (signal.SIGTERM, signal.SIGINT)
GRACE_SECONDS = 10.0  # for work under way to end well; Kubernetes kills 30 s after it asked, spot machines too


class Interrupted(BaseException):
    """Work was stopped by a signal. Like KeyboardInterrupt no Exception: who mends errors of a row is passed by.

    Attributes:
        signum: its number.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}")
        self.signum = signum


class Interruption:
    """Whether this process was asked to stop. There is one, ``interruption``, for signals are the process's."""

    def __init__(self) -> None:
        self._requested = threading.Event()
        self._signum = 0
        self._at = 0.0

    @property
    def requested(self) -> bool:
        """Whether work is to end soon."""
        return self._requested.is_set()

    @property
    def overdue(self) -> bool:
        """Whether the time is over in which work under way may still end by itself."""
        return self.requested and time.monotonic() - self._at >= GRACE_SECONDS

    def request(self, signum: int = signal.SIGTERM) -> None:
        """Asks to stop; a second time: at once."""
        self._at = time.monotonic() - (GRACE_SECONDS if self.requested else 0)
        self._signum = signum
        self._requested.set()
        giving_up.set()

    def check(self) -> None:
        """Raises Interrupted if work is to end."""
        if self.requested:
            raise Interrupted(self._signum)

    @contextmanager
    def on_signals(self, tell: Callable[[int], None] = lambda _: None) -> Iterator[None]:
        """In the block SIGTERM and SIGINT ask to stop, where they came without being looked at before.

        Args:
            tell: is called with the number of a signal when it comes.
        """

        def ask(signum: int, _: FrameType | None) -> None:
            tell(signum)
            self.request(signum)

        with handled(ask):
            try:
                yield
            finally:
                self._requested.clear()
                giving_up.clear()


interruption = Interruption()


@contextmanager
def handled(
    handler: Callable[[int, FrameType | None], None], signals: Sequence[signal.Signals] = SIGNALS
) -> Iterator[None]:
    """Handles signals in the block; only the main thread can, elsewhere they are left as they are."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {signum: signal.signal(signum, handler) for signum in signals}
    try:
        yield
    finally:
        for signum, earlier in before.items():
            signal.signal(signum, earlier)


def raise_interrupted(signum: int, frame: FrameType | None, tell: Callable[[int], None] = lambda _: None) -> None:
    """A handler that breaks off whatever the main thread does.

    While a module is imported it ends the process: libraries take any exception of an import for a sign that something
    is not installed, and go on; torch's C++ code aborts. Nothing is to be cleaned up then.

    Args:
        signum: number of the signal.
        frame: what the main thread does.
        tell: is called with the number before the process ends.
    """
    if _imports(frame):
        try:
            tell(signum)
        finally:
            os._exit(128 + signum)
    raise Interrupted(signum)


def _imports(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
