"""Generation from a manifest to its success mark: what generate, characters and audit do alike."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions

from face0.generation.plan import RequestPlan, plan_requests
from face0.generation.requests import Request
from face0.generation.results import results_of
from face0.reports.generation.page import write_report_of
from face0.tasks.output_folder import OutputFolder
from face0.tasks.task import TaskRun
from pipelines.job import Job
from pipelines.tasks import Workers
from schemas.failures import Reason
from schemas.job import Success, TaskStats


@dataclass(frozen=True, kw_only=True)
class Generation:
    """A generation and where it stands. Made by ``plan``, which writes nothing.

    Attributes:
        job: the tasks as a job.
        requests: what they come from.
        runs: tasks that are left to do.
        stale: commits to take back before.
    """

    job: Job
    requests: RequestPlan
    runs: Sequence[TaskRun]
    stale: Sequence[TaskStats]

    @classmethod
    def plan(
        cls,
        output: str,
        requests: Sequence[Request],
        config: Mapping[str, Any],
        size: int,
        retry: Collection[Reason] = (),
        embedder: Mapping[str, str] | None = None,
    ) -> "Generation":
        """Plans what is left.

        Args:
            output: URI of the folder.
            requests: each once.
            config: what determines the output beside them, as JSON values.
            size: requests of a task.
            retry: reasons for which failed requests are tried again.
            embedder: what made the requests' vectors; None: it is not known.

        Raises:
            UsageError: the folder holds the output of another configuration.
        """
        folder = OutputFolder(output)
        seen = folder.stats_versions()
        committed = folder.intact()
        planned = plan_requests(folder, requests, committed, size, embedder)
        job = Job(name="generate", config=config, planned=planned.tasks, folder=folder, seen=seen)
        runs, stale = job.left(planned.committed, retry)
        return cls(job=job, requests=planned, runs=runs, stale=[*stale, *planned.stale])

    @property
    def summary(self) -> str:
        """What is there and what is left, for a person."""
        new = sum(len(group) for groups in self.requests.files.values() for group in groups)
        return (
            f"{len(self.runs):,} of {len(self.job.planned):,} tasks are left, with {new:,} requests that were not "
            f"asked for before, in {self.job.folder.uri}"
        )

    def run(self, workers: Workers, options: PipelineOptions) -> Success | None:
        """Runs what is left, writes ``_SUCCESS`` and the report. Returns its content; None if tasks are missing."""
        return self.job.run(self.runs, self.stale, workers, options, self.requests.prepare, _write_report)


def _write_report(folder: OutputFolder, committed: Mapping[str, TaskStats]) -> None:
    """Writes the report of a job that is done and has made an image."""
    success, job = folder.success, folder.job
    if success is not None and job is not None and success.ledger.written:
        write_report_of(results_of(folder, job, committed))
