"""A job from its plan to its success mark: what augment and generate do alike."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions

from face0.tasks.output_folder import OutputFolder
from face0.tasks.progress import Progress
from face0.tasks.task import Task, TaskRun, select
from face0.tasks.worker import Worker
from pipelines import tasks
from schemas.failures import Reason
from schemas.job import Success, TaskStats


@dataclass(frozen=True, kw_only=True)
class Job:
    """A job and where it stands.

    Attributes:
        name: the subcommand.
        config: what determines the output, as JSON values; a resumed job must have the same.
        planned: the tasks.
        folder: where the output goes.
    """

    name: str
    config: Mapping[str, Any]
    planned: Sequence[Task]
    folder: OutputFolder

    def left(self, retry: Collection[Reason] = ()) -> tuple[list[TaskRun], list[TaskStats]]:
        """The tasks to run, and the commits to take back before; writes nothing. Raises UsageError as its parts do."""
        self.folder.check(self.name, self.config)
        return select(self.planned, self.folder.committed(), retry)

    def run(
        self, runs: Sequence[TaskRun], stale: Sequence[TaskStats], load: Callable[[], Worker], options: PipelineOptions
    ) -> Success | None:
        """Runs what is left, with progress, and writes ``_SUCCESS``. Returns its content; None if tasks are missing."""
        if runs or stale:
            self.folder.prepare(self.name, self.config)
            for stats in stale:
                self.folder.take_back(stats)
            with Progress(self.folder, runs):
                tasks.run(runs, load, self.folder.uri, options)
        return self.folder.succeed(task.task_id for task in self.planned)
