"""Progress of a job, read off its folder."""

import io
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from face0.tasks import progress
from face0.tasks.output_folder import OutputFolder
from face0.tasks.progress import Progress
from face0.tasks.task import select


@dataclass(frozen=True, kw_only=True)
class Read:
    """A task that reads so many rows."""

    task_id: str
    uri: str = "input"
    size: int = 1
    rows: int = 0


def commit(folder: OutputFolder, task: Read) -> None:
    with folder.commit(task) as output:
        output.ledger.read = output.ledger.no_face = task.rows


def test_looks_become_rarer_as_they_take_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at 100,000 tasks takes seconds: it must not be most of what this process does."""
    folder, looks = OutputFolder(str(tmp_path)), []
    folder.prepare("read", {})

    def slow(_: OutputFolder) -> set[str]:
        looks.append(time.monotonic())
        time.sleep(0.05)
        return set()

    monkeypatch.setattr(progress, "LOOKS", {True: 0.01, False: 0.01})
    with Progress(folder, select([Read(task_id="a")], {})[0], stream=io.StringIO()):
        monkeypatch.setattr(OutputFolder, "stats_names", slow)
        time.sleep(1.5)
    assert 2 <= len(looks) <= 4


def lines(folder: OutputFolder, tasks: list[Read], *done: Read) -> list[str]:
    """What is said of a run of all tasks in which these are committed."""
    log = io.StringIO()
    with Progress(folder, select(tasks, {})[0], stream=log):
        for task in done:
            commit(folder, task)
    return log.getvalue().splitlines()


def test_what_is_committed_is_counted_once(tmp_path: Path) -> None:
    folder = OutputFolder(str(tmp_path))
    folder.prepare("read", {})
    tasks = [Read(task_id="a", rows=1200), Read(task_id="b", rows=34), Read(task_id="c")]
    found = lines(folder, tasks, tasks[0], tasks[1])
    assert found[0].startswith("0/3 tasks")
    assert found[-1].startswith("2/3 tasks, 1,234 rows, ")
    assert " rows/s, " in found[-1]
    assert found[-1].endswith(" left")


def test_a_task_that_runs_again_counts_once_it_is_written_anew(tmp_path: Path) -> None:
    folder = OutputFolder(str(tmp_path))
    folder.prepare("read", {})
    tasks = [Read(task_id="a", rows=5), Read(task_id="b", rows=7)]
    lines(folder, tasks, *tasks)
    assert lines(folder, tasks)[-1].startswith("0/2 tasks")
    assert lines(folder, tasks, tasks[1])[-1].startswith("1/2 tasks, 7 rows, ")
