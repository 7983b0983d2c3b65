"""Tasks in processes that die: what is lost, and what is set aside."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from face0.runtime.interruption import Interrupted, interruption
from face0.tasks.output_folder import OutputFolder
from face0.tasks.supervision import WorkerDiedError, WorkerProcesses
from face0.tasks.task import TaskRun
from tests.fixtures.deadly import Numbers, NumbersWorker
from tests.fixtures.pictures import rows

pytestmark = pytest.mark.faults  # each starts processes anew, many times


@pytest.fixture
def run(tmp_path):
    """Runs a task in a process of its own: the numbers written, and the reasons of the failed rows by their keys."""
    processes = WorkerProcesses(NumbersWorker, 1, row_seconds=4.0)

    def run(task: Numbers) -> tuple[list[int], dict[str, str]]:
        stats = processes.run(TaskRun(task=task), OutputFolder(str(tmp_path)))
        assert stats.ledger.balanced
        failures = {row["key"]: row["reason"] for row in rows(tmp_path, "failures")}
        assert stats.ledger.failed == len(failures)
        return [row["n"] for row in rows(tmp_path)], failures

    yield run
    processes.close()


def test_a_task_that_does_no_harm(run):
    assert run(Numbers(stop=10)) == (list(range(10)), {})


@pytest.mark.parametrize("kill", [(0,), (7,), (19,), (4, 5, 6), (2, 11, 12)])
def test_rows_that_end_their_process_are_set_aside_and_no_others(run, kill):
    written, failures = run(Numbers(kill=kill))
    assert failures == dict.fromkeys(map(str, kill), "killed_worker")
    assert written == [n for n in range(20) if n not in kill]


def test_a_row_that_hangs_is_set_aside(run):
    written, failures = run(Numbers(hang=(9,)))
    assert failures == {"9": "timed_out"}
    assert len(written) == 19


def test_slow_rows_are_not_hung_ones(run):
    assert run(Numbers(stop=8, seconds=0.8)) == (list(range(8)), {})


def test_an_input_that_ends_its_process_is_not_read_on(run):
    written, failures = run(Numbers(kill_reading=6))
    assert (written, failures) == (list(range(6)), {"rest": "killed_worker"})


def test_a_process_that_somebody_killed_costs_no_row(run, tmp_path):
    once = tmp_path / "once"
    once.touch()
    assert run(Numbers(kill=(5,), once=str(once))) == (list(range(20)), {})


def test_rows_that_are_too_much_together_are_taken_alone(run):
    assert run(Numbers(kill_together=True, stop=7)) == (list(range(7)), {})


def test_a_task_whose_process_always_dies_is_given_up(run, monkeypatch):
    monkeypatch.setattr("face0.tasks.supervision.SET_ASIDE", 2)
    with pytest.raises(WorkerDiedError, match="3 rows set aside"):
        run(Numbers(kill=tuple(range(6))))


def test_what_the_worker_raises_is_raised(run):
    with pytest.raises(OSError, match=r"a\.changed has changed"):
        run(Numbers(uri="a.changed"))
    assert run(Numbers(stop=3)) == ([0, 1, 2], {})  # the process is there for the next


def children(pid: int) -> list[int]:
    return [
        int(path.name)
        for path in Path("/proc").iterdir()
        if path.name.isdigit() and f"PPid:\t{pid}\n" in (path / "status").read_text()
    ]


def test_a_stop_lets_a_task_end_in_its_time_and_leaves_no_process(tmp_path, monkeypatch):
    monkeypatch.setattr("face0.runtime.interruption.GRACE_SECONDS", 0.5)
    processes, folder = WorkerProcesses(NumbersWorker, 1, row_seconds=60), OutputFolder(str(tmp_path))
    processes.run(TaskRun(task=Numbers(stop=1)), folder)
    before = children(os.getpid())
    with interruption.on_signals():
        threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGTERM]).start()
        started = time.monotonic()
        with pytest.raises(Interrupted):
            processes.run(TaskRun(task=Numbers(uri="long", stop=100, seconds=0.5)), folder)
        assert time.monotonic() - started < 5
        with pytest.raises(Interrupted):  # and no other is begun
            processes.run(TaskRun(task=Numbers(uri="next")), folder)
    assert folder.stats_names() == {"numbers-numbers"}
    assert len(children(os.getpid())) == len(before) - 1
    processes.close()
