"""Rows a second by what tasks say: none is lost, pauses are left out, and what does not say is not counted."""

import numpy as np
import pytest

from face0.reports.augmentation.pace import PAUSE, STRETCHES, pace
from schemas.job import Ledger, TaskStats


def task(number: int, ended: float, seconds: float, written: int = 0, failed: int = 0) -> TaskStats:
    ledger = Ledger(read=written + failed, written=written, failed=failed)
    return TaskStats(task_id=str(number), task={}, ledger=ledger, seconds=seconds, ended=ended)


def test_every_row_is_in_some_stretch():
    rng = np.random.default_rng(0)
    tasks = [task(i, 1e9 + 1000 * rng.random(), 1 + 100 * rng.random(), i, 1) for i in range(200)]
    found = pace(tasks)
    assert found is not None
    widths = np.diff(found.edges) * found.seconds / found.edges[-1]
    assert len(widths) == STRETCHES
    assert found.rates["written"] @ widths == pytest.approx(sum(range(200)))
    assert found.rates["failed"] @ widths == pytest.approx(200)
    assert (found.rates["no_face"] == 0).all()
    assert min(found.rates["written"]) >= 0


def test_a_steady_task_has_one_pace():
    found = pace([task(0, 1e9 + 60, 60, written=120)])
    assert found is not None
    assert found.rates["written"] == pytest.approx(np.full(STRETCHES, 2.0))
    assert (found.unit, found.seconds, found.rows) == ("seconds", pytest.approx(60), 120)


def test_a_pause_between_two_launches_is_left_out():
    found = pace([task(0, 1e9 + 300, 300, written=300), task(1, 1e9 + 90_000, 300, written=600)])
    assert found is not None
    assert found.seconds == pytest.approx(600)
    assert (found.unit, found.breaks) == ("minutes", [pytest.approx(5)])
    assert found.rates["written"][0] == pytest.approx(1)
    assert found.rates["written"][-1] == pytest.approx(2)


def test_a_short_wait_is_no_pause():
    found = pace([task(0, 1e9 + 10, 10, written=1), task(1, 1e9 + 20 + PAUSE / 2, 10, written=1)])
    assert found is not None
    assert found.breaks == []
    assert found.seconds == pytest.approx(20 + PAUSE / 2)


def test_tasks_of_an_earlier_version_do_not_say_when():
    assert pace([]) is None
    assert pace([task(0, 0.0, 5, written=3)]) is None
    found = pace([task(0, 0.0, 5, written=3), task(1, 1e9, 5, written=4)])
    assert found is not None
    assert (found.rows, found.tasks) == (4, 1)


def test_a_task_that_took_no_time_counts_too():
    found = pace([task(0, 1e9, 0.0, written=3)])
    assert found is not None
    assert np.isfinite(found.rates["written"]).all()
