"""Progress of a job by its stats files as they appear: the same on every runner."""

import threading
import time
from collections.abc import Sequence
from typing import TextIO

from face0.runtime.progress import ProgressBar
from face0.tasks.output_folder import OutputFolder
from face0.tasks.task import TaskRun
from schemas.job import BrokenRecord, Ledger

LOOKS = {True: 1.0, False: 5.0}  # seconds from one look to the next: on a terminal, and elsewhere
LOOK_SHARE = 20  # a look is followed by a pause so many times as long, for in 100,000 tasks it takes seconds


class Progress:
    """Shows done/total tasks, rows, rows/s, failed rows and time left while the block runs; see ``ProgressBar``."""

    def __init__(self, folder: OutputFolder, runs: Sequence[TaskRun], *, stream: TextIO | None = None) -> None:
        self._folder = folder
        self._waiting = {run.task.task_id for run in runs}
        # Tasks that run again are committed already: their stats count once they are written anew.
        self._before = {task_id: folder.stats_version(task_id) for task_id in self._waiting & folder.stats_names()}
        self._ledger = Ledger()
        self._bar = ProgressBar(total=len(runs), unit="tasks", file=stream)
        self._bar.rows = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Progress":
        if not self._bar.disable:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        if not self._bar.disable:
            self._look()
        self._bar.close()

    def _watch(self) -> None:
        often = LOOKS[self._bar.live]
        pause = often
        while not self._stop.wait(pause):
            started = time.monotonic()
            self._look()
            pause = max(often, LOOK_SHARE * (time.monotonic() - started))
            if self._bar.live:
                self._bar.refresh()

    def _look(self) -> None:
        """Counts the tasks that were committed since the last look."""
        before = len(self._waiting)
        try:
            for task_id in self._waiting & self._folder.stats_names():
                if task_id not in self._before or self._folder.stats_version(task_id) != self._before[task_id]:
                    self._ledger += self._folder.stats(task_id).ledger
                    self._waiting.discard(task_id)
        except (OSError, BrokenRecord):
            pass  # a commit that is being replaced, or storage out of breath: the next look will tell
        if done := before - len(self._waiting):
            self._bar.rows, self._bar.failed = self._ledger.read, self._ledger.failed
            self._bar.update(done)
