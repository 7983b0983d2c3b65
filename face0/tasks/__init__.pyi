from .failure_budget import FailureBudget
from .lease import Lease
from .outcomes import EarlierRow, NoFace, write_outcomes
from .output_folder import OutputFolder
from .progress import Progress
from .task import Task, TaskRun, select
from .task_output import ROW_GROUP, TableWriter, TaskOutput
from .worker import Worker, run_task

__all__ = [
    "ROW_GROUP",
    "EarlierRow",
    "FailureBudget",
    "Lease",
    "NoFace",
    "OutputFolder",
    "Progress",
    "TableWriter",
    "Task",
    "TaskOutput",
    "TaskRun",
    "Worker",
    "run_task",
    "select",
    "write_outcomes",
]
