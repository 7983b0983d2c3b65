"""Tasks as Beam elements: the one transform of every job, and how it is run."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.utils.shared import Shared

from face0.tasks.output_folder import OutputFolder
from face0.tasks.task import TaskRun
from face0.tasks.worker import Worker


class _RunTask(beam.DoFn):
    """One element is one task: read, compute, write and commit, without its rows ever crossing a shuffle."""

    def __init__(self, load: Callable[[], Worker], output: str) -> None:
        self._load, self._folder = load, OutputFolder(output)
        self._shared = Shared()

    def setup(self) -> None:
        # One copy of the models in a process, whatever the number of its threads.
        self._worker = self._shared.acquire(self._load)

    def process(self, run: TaskRun) -> "list[str]":
        stats = self._worker.run(run, self._folder)
        for name, count in asdict(stats.ledger).items():
            Metrics.counter("face0", name).inc(count)
        return [stats.task_id]


@dataclass
class RunTasks(beam.PTransform):
    """Runs tasks, each once and whole, and yields the ids of those that were committed.

    Attributes:
        load: loads the worker; called once in each process.
        output: URI of the job's output folder.
    """

    load: Callable[[], Worker]
    output: str

    def __post_init__(self) -> None:
        super().__init__()

    def expand(self, runs: beam.PCollection[TaskRun]) -> beam.PCollection[str]:
        """Spreads the tasks over the workers and runs them. Only their descriptions are shuffled."""
        return runs | "Spread" >> beam.Reshuffle() | "Run" >> beam.ParDo(_RunTask(self.load, self.output))


def run(runs: Sequence[TaskRun], load: Callable[[], Worker], output: str, options: PipelineOptions) -> None:
    """Runs tasks on the runner that the options name, and waits for the end. Raises what broke the pipeline."""
    with beam.Pipeline(options=options) as pipeline:
        pipeline | "Tasks" >> beam.Create(list(runs), reshuffle=False) | "Work" >> RunTasks(load, output)
