"""Who does tasks."""

from typing import Protocol

from face0.tasks.output_folder import OutputFolder
from face0.tasks.task import TaskRun
from schemas.job import TaskStats


class Worker(Protocol):
    """Does tasks. Holds what is expensive to load (models), once per process."""

    def run(self, run: TaskRun, folder: OutputFolder) -> TaskStats:
        """Does one task and commits it through ``folder.commit``."""
