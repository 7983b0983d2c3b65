"""Which tasks are left to run, and inputs that changed since theirs was committed."""

from dataclasses import replace

import pytest

from face0.errors import UsageError
from face0.tasks.output_folder import OutputFolder
from face0.tasks.task import select
from schemas.failures import Reason
from tests.fixtures.counting import Count, do


def test_only_what_is_left_is_selected(tmp_path):
    folder = OutputFolder(str(tmp_path))
    tasks = [Count(uri="c"), Count(uri="a"), Count(uri="b")]
    do(folder, tasks[1])
    runs, stale = select(tasks, folder.committed())
    assert [(run.task, run.retry) for run in runs] == [(tasks[0], ()), (tasks[2], ())]
    assert stale == []


def test_only_tasks_with_the_reason_are_retried(tmp_path):
    folder = OutputFolder(str(tmp_path))
    tasks = [Count(uri="a"), Count(uri="b", stop=5)]
    for task in tasks:
        do(folder, task)
    assert select(tasks, folder.committed(), [Reason.FETCH_404])[0] == []
    runs, _ = select(tasks, folder.committed(), [Reason.EMPTY, Reason.FETCH_404])
    assert [(run.task, run.retry) for run in runs] == [(tasks[0], (Reason.EMPTY,))]


@pytest.mark.parametrize("retry", [(), (Reason.EMPTY,)])
def test_an_input_that_changed_is_refused(tmp_path, retry):
    folder = OutputFolder(str(tmp_path))
    do(folder, Count(uri="a"))
    with pytest.raises(UsageError, match="a has changed since its task count-a was committed: restore it"):
        select([replace(Count(uri="a"), size=101)], folder.committed(), retry)


def test_an_input_that_is_cut_into_other_tasks_is_refused(tmp_path):
    folder = OutputFolder(str(tmp_path))
    do(folder, Count(uri="a"))
    committed = {"count-a-00": replace(folder.committed()["count-a"], task_id="count-a-00")}
    with pytest.raises(UsageError, match="a has changed since its task count-a-00 was committed"):
        select([Count(uri="a")], committed)
