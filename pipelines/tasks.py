"""Tasks as Beam elements: the one transform of every job, and how it is run."""

import logging
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from errno import EACCES, EDQUOT, ENOSPC, EPERM, EROFS

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.utils.shared import Shared

from face0.io.permissions import Permissions, current
from face0.runtime.interruption import GRACE_SECONDS, Interrupted, handled, interruption, raise_interrupted
from face0.tasks.lease import LeaseLostError
from face0.tasks.output_folder import OutputFolder
from face0.tasks.supervision import LoadWorker, WorkerLoadError, WorkerProcesses
from face0.tasks.task import TaskRun
from face0.tasks.worker import Worker, run_task
from pipelines.options import is_local, spread
from schemas.job import TaskStats

logger = logging.getLogger(__name__)

_HOPELESS = (ENOSPC, EDQUOT, EROFS, EACCES, EPERM)  # the next task would meet them too


@dataclass(frozen=True, kw_only=True)
class Workers:
    """Where the tasks of a machine are done.

    Attributes:
        load: makes a worker; picklable.
        processes: that do tasks beside each other; 0: this one does, which a row can then take with it.
        row_seconds: that a row may take in such a process.
        permissions: of what they write; those of the process that asks, which may be on another machine.
    """

    load: Callable[[], Worker]
    processes: int
    row_seconds: float
    permissions: Permissions = field(default_factory=current)

    def open(self) -> "_Here | WorkerProcesses":
        """What does the tasks."""
        load = LoadWorker(load=self.load, permissions=self.permissions)
        if self.processes:
            return WorkerProcesses(load, self.processes, self.row_seconds)
        return _Here(load())


class _Here:
    """A worker in this process."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def run(self, run: TaskRun, folder: OutputFolder) -> TaskStats:
        interruption.check()
        stats = run_task(self._worker, run, folder)
        assert stats is not None, "no probe"
        return stats

    def close(self) -> None:
        pass


class _RunTask(beam.DoFn):
    """One element is one task: read, compute, write and commit, without its rows ever crossing a shuffle."""

    def __init__(self, workers: Workers, folder: OutputFolder) -> None:
        self._workers, self._folder = workers, folder
        self._shared = Shared()

    def process(self, run: TaskRun) -> "list[str]":
        launch = _launch
        try:
            if launch is not None and launch.broken is not None:
                return []
            # One copy of the models in a process, whatever the number of its threads.
            self._opened = self._shared.acquire(self._workers.open)
            if launch is not None:
                launch.opened.add(self._opened)
            stats = self._opened.run(run, self._folder)
        except Interrupted:
            return []
        except Exception as error:
            if launch is None:
                raise  # the runner tries the task again, as it is set to
            launch.failed(run, error)
            return []
        for name, count in asdict(stats.ledger).items():
            Metrics.counter("face0", name).inc(count)
        return [stats.task_id]

    def teardown(self) -> None:
        if _launch is None and hasattr(self, "_opened"):
            self._opened.close()


@dataclass
class RunTasks(beam.PTransform):
    """Runs tasks, each once and whole, and yields the ids of those that were committed.

    Attributes:
        workers: who does them.
        folder: the job's output.
    """

    workers: Workers
    folder: OutputFolder

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, runs: beam.PCollection[TaskRun]) -> beam.PCollection[str]:
        """Spreads the tasks over the workers and runs them. Only their descriptions are shuffled."""
        return runs | "Spread" >> beam.Reshuffle() | "Run" >> beam.ParDo(_RunTask(self.workers, self.folder))


@dataclass
class _Launch:
    """What this process learns of its pipeline, where the workers are in it too."""

    opened: set[_Here | WorkerProcesses] = field(default_factory=set)
    broken: Exception | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def failed(self, run: TaskRun, error: Exception) -> None:
        """A task that storage has failed is left for the next launch, the others go on. All else ends the job."""
        hopeless = isinstance(error, WorkerLoadError | LeaseLostError) or getattr(error, "errno", None) in _HOPELESS
        if isinstance(error, OSError) and not hopeless:
            logger.error("task %s is not done: %s", run.task.task_id, error)
            return
        with self._lock:
            self.broken = self.broken or error


_launch: _Launch | None = None  # of the pipeline that runs in this process


@contextmanager
def _launched() -> Iterator[_Launch]:
    global _launch
    launch = _launch = _Launch()
    try:
        with interruption.on_signals(_tell):
            yield launch
            interruption.check()
        if launch.broken is not None:
            raise launch.broken
    finally:
        _launch = None
        for opened in launch.opened:
            opened.close()


def _tell(signum: int) -> None:
    name = signal.Signals(signum).name
    logger.info("%s: tasks under way have %d seconds to end; once more: none", name, GRACE_SECONDS)


def run(runs: Sequence[TaskRun], workers: Workers, folder: OutputFolder, options: PipelineOptions) -> None:
    """Runs tasks on the runner that the options name, and waits for the end.

    Raises:
        Interrupted: by SIGTERM or SIGINT. Tasks that could end did so, the others were abandoned.
        Exception: what broke the pipeline.
    """
    spread(options, workers.processes)
    pipeline = beam.Pipeline(options=options)
    pipeline | "Tasks" >> beam.Create(list(runs), reshuffle=False) | "Work" >> RunTasks(workers, folder)
    if is_local(options):
        with _launched():
            pipeline.run().wait_until_finish()
        return
    result = None
    try:
        with handled(raise_interrupted):
            result = pipeline.run()
            result.wait_until_finish()
    except Interrupted:
        if result is not None:
            result.cancel()
        raise
