"""An interpreter of its own that does work for this process, and may die without harm to it."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from face0.io.secrets import PublicStream
from face0.runtime.ending import end_process
from face0.runtime.interruption import Interrupted, raise_interrupted

TERMINATE_SECONDS = 5.0  # for a child that is asked to end: what it has begun to upload is taken back
_POLL_SECONDS = 0.5


class ChildDiedError(RuntimeError):
    """The child is gone in the midst of its work.

    Attributes:
        how: it ended, for a person.
    """

    def __init__(self, how: str) -> None:
        super().__init__(f"the worker process {how}")
        self.how = how


class ChildProcess:
    """A child that holds one object and calls it. Not by multiprocessing: a child of that imports the main module, and
    Beam's and pytest's cannot be.

    The child ends when this process does, however that ends. SIGINT of a terminal, which goes to both, is left to this
    process; SIGTERM makes the child unwind, so that its temporary files go.

    Args:
        load: makes the object, in the child; a picklable callable.
    """

    def __init__(self, load: Callable[[], Callable[..., Any]]) -> None:
        self._connection, theirs = Pipe()
        command = f"from face0.runtime.child_process import serve; serve({theirs.fileno()}, {os.getpid()})"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        self._process = subprocess.Popen(
            [sys.executable, "-c", command], pass_fds=[theirs.fileno()], env=environment, stdin=subprocess.DEVNULL
        )
        theirs.close()
        with suppress(ChildDiedError):  # the first call says it
            self._send(load)

    def call(self, *arguments: Any, check: Callable[[], None]) -> Any:
        """What the object returns for some arguments, or raises.

        Args:
            arguments: of the object's call; picklable.
            check: is called twice a second while the child works; raises to give up.

        Raises:
            ChildDiedError: the child is gone.
        """
        self._send(arguments)
        while not self._connection.poll(_POLL_SECONDS):
            check()
        try:
            error, result = self._connection.recv()
        except (EOFError, OSError):
            raise ChildDiedError(self._how_it_ended()) from None
        if error is not None:
            raise error from RuntimeError(result)
        return result

    def kill(self) -> None:
        """Ends the child at once, whatever it does."""
        self._process.kill()
        self._process.wait()

    def terminate(self) -> None:
        """Ends the child, which has some seconds to clean up."""
        self._connection.close()
        self._process.terminate()
        try:
            self._process.wait(TERMINATE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def _send(self, message: Any) -> None:
        try:
            self._connection.send_bytes(pickle.dumps(message))
        except (BrokenPipeError, ConnectionResetError):
            raise ChildDiedError(self._how_it_ended()) from None

    def _how_it_ended(self) -> str:
        code = self._process.wait()
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def serve(file: int, parent: int) -> None:
    """Runs in the child: loads the object, then calls it for whatever comes, until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, raise_interrupted)
    threading.Thread(target=_end_with, args=[parent], daemon=True).start()
    with (
        suppress(Interrupted, EOFError, BrokenPipeError, ConnectionResetError),
        redirect_stdout(PublicStream(sys.stdout)),
        redirect_stderr(PublicStream(sys.stderr)),
    ):
        try:
            _answer(Connection(file))
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it ends already
    end_process(0)


def _answer(connection: Connection) -> None:
    load = pickle.loads(connection.recv_bytes())
    target: Callable[..., Any] | None = None
    while True:
        arguments = pickle.loads(connection.recv_bytes())
        message: tuple[Exception | None, Any]
        try:
            target = target or load()
            message = (None, target(*arguments))
        except Exception as error:
            message = (_picklable(error), traceback.format_exc())
        connection.send(message)


def _end_with(parent: int) -> None:
    """Ends this process when the parent is gone: it may be in the midst of work, and nobody waits for it any more."""
    while os.getppid() == parent:
        time.sleep(_POLL_SECONDS)
    os._exit(1)


def _picklable(error: Exception) -> Exception:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # many errors of libraries are made of other arguments than they keep
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
