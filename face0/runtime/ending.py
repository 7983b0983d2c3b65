"""The end of a process."""

import atexit
import os
import sys
from contextlib import suppress
from typing import NoReturn


def end_process(code: int) -> NoReturn:
    """Ends this process with an exit code, once all that was registered for its end has run and what it said is out.

    The interpreter is not taken down: a thread of C++ (gRPC's under Beam, Arrow's) that comes back to one that is gone
    aborts the process, with SIGABRT as the end of a job that was done.
    """
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # nobody listens any more
            if stream is not None:  # closed before this process began
                stream.flush()
    os._exit(code)
