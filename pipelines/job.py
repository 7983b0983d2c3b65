"""A job from its plan to its success mark: what augment and generate do alike."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions

from face0.errors import UsageError
from face0.reports.data_card import write_data_card
from face0.runtime.interruption import Interrupted, interruption
from face0.tasks.lease import Lease, LeaseLostError, hold
from face0.tasks.output_folder import JOB, OutputFolder
from face0.tasks.progress import Progress
from face0.tasks.task import Task, TaskRun, select
from pipelines import tasks
from pipelines.tasks import Workers
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
        seen: versions of the stats that were there before the job was planned.
    """

    name: str
    config: Mapping[str, Any]
    planned: Sequence[Task]
    folder: OutputFolder
    seen: Mapping[str, str]

    def left(
        self, committed: Mapping[str, TaskStats], retry: Collection[Reason] = ()
    ) -> tuple[list[TaskRun], list[TaskStats]]:
        """The tasks to run, and the commits to take back before; writes nothing. Raises UsageError as its parts do."""
        self.folder.check(self.name, self.config)
        return select(self.planned, committed, retry)

    def run(
        self,
        runs: Sequence[TaskRun],
        stale: Sequence[TaskStats],
        workers: Workers,
        options: PipelineOptions,
        prepare: Callable[[OutputFolder], None] = lambda _: None,
        finish: Callable[[OutputFolder, Mapping[str, TaskStats]], Any] = lambda *_: None,
    ) -> Success | None:
        """Runs what is left, with progress, and writes ``_SUCCESS``. Returns its content; None if tasks are missing.

        Args:
            runs: what ``left`` has found.
            stale: likewise.
            workers: who does the tasks.
            options: of the pipeline.
            prepare: writes what the tasks need, once nobody else writes to the folder.
            finish: is given the stats of all committed tasks at the end, while nobody else writes to the folder; also
                if tasks are missing.

        Raises:
            UsageError: another launch is at work on the folder, or was since the job was planned.
            LeaseLostError: another launch has taken the folder over.
            Interrupted: by a signal.
        """
        with Lease(self.folder, self.name, lost=interruption.request) as lease:
            folder = replace(self.folder, launch=lease.launch)
            if folder.stats_versions() != self.seen:
                raise UsageError(f"another launch was at work on {folder.uri} until now: run the same command again")
            try:
                if runs or stale or not folder.exists(JOB):
                    folder.prepare(self.name, self.config)
                    write_data_card(folder)
                if runs or stale:
                    prepare(folder)
                    for stats in stale:
                        folder.take_back(stats)
                    with Progress(folder, runs):
                        tasks.run(runs, workers, folder, options)
                committed = folder.intact()
                success = folder.succeed((task.task_id for task in self.planned), committed)
                finish(folder, committed)
                return success
            except Interrupted:
                if lease.lost:
                    raise LeaseLostError(f"{folder.uri} was taken over by another launch") from None
                raise
            finally:
                # Not if another launch has taken over, whose files they may be; what storage does not let go, the next
                # launch takes away.
                with suppress(OSError):
                    hold(folder, lease.launch)
                    write_data_card(folder)
                    folder.drop_partial()
