"""Progress of long work: of a job by its stats files as they appear, the same on every runner; and of a loop."""

import sys
import threading
import time
from collections.abc import Sequence
from typing import TextIO

from face0.runtime.progress import _clock
from face0.tasks.output_folder import OutputFolder
from face0.tasks.task import TaskRun
from schemas.job import Ledger


class Progress:
    """Prints done/total, rows/s and time left while the block runs: in place on a terminal, else now and then."""

    def __init__(self, folder: OutputFolder, runs: Sequence[TaskRun], *, stream: TextIO | None = None) -> None:
        self._folder = folder
        self._waiting = {run.task.task_id for run in runs}
        # Tasks that run again are committed already: their stats count once they are written anew.
        self._before = {i: folder.stats_stamp(i) for i in self._waiting & folder.stats_names()}
        self._total = len(runs)
        self._ledger = Ledger()
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._stop = threading.Event()
        self._started = time.monotonic()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Progress":
        self._print()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._look()
        self._print()
        if self._live:
            self._stream.write("\n")

    def _watch(self) -> None:
        pause, last = (1.0, 0.0) if self._live else (5.0, 30.0)
        printed, changed = time.monotonic(), False
        while not self._stop.wait(pause):
            changed = self._look() or changed
            if self._live or (changed and time.monotonic() - printed >= last):
                self._print()
                printed, changed = time.monotonic(), False

    def _look(self) -> bool:
        """Counts tasks that were committed since the last look; whether there were any."""
        before = len(self._waiting)
        try:
            for task_id in self._waiting & self._folder.stats_names():
                if self._folder.stats_stamp(task_id) != self._before.get(task_id):
                    self._ledger += self._folder.stats(task_id).ledger
                    self._waiting.discard(task_id)
        except OSError:
            pass  # a commit that is being replaced, or storage out of breath: the next look will tell
        return len(self._waiting) < before

    def _print(self) -> None:
        done = self._total - len(self._waiting)
        seconds = time.monotonic() - self._started
        line = f"{done}/{self._total} tasks"
        if done:
            left = seconds / done * len(self._waiting)
            line += f", {self._ledger.read:,} rows, {self._ledger.read / seconds:.1f} rows/s, {_clock(left)} left"
        self._stream.write(f"\r{line}\033[K" if self._live else f"{line}\n")
        self._stream.flush()
