"""How fast rows came, by the stats of their tasks: each says when it was committed, and how long it took."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np

from schemas.job import Ledger, TaskStats

STRETCHES = 60
PAUSE = 60.0  # seconds in which nothing is at work: more is left out
UNITS = (("seconds", 1.0, 180.0), ("minutes", 60.0, 180.0), ("hours", 3600.0, 72.0), ("days", 86400.0, np.inf))
KINDS = tuple(field.name for field in fields(Ledger) if field.name != "read")


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Rows a second over the time in which tasks were at work.

    Attributes:
        unit: of the times.
        edges: of the stretches of time, ascending from 0, float [n + 1].
        rates: rows a second in each by what became of them, float [n].
        breaks: times at which a pause is left out.
        seconds: at work, without pauses.
        rows: of the tasks that say when they were at work.
        tasks: their number.
    """

    unit: str
    edges: np.ndarray
    rates: dict[str, np.ndarray]
    breaks: list[float]
    seconds: float
    rows: int
    tasks: int


def pace(tasks: Iterable[TaskStats]) -> Pace | None:
    """The pace of some tasks; None if none of them says when it was at work, or none took time.

    The rows of a task count evenly over the time that it took. A task that ran again is where it ran last.
    """
    timed = [stats for stats in tasks if stats.ended > 0]
    ends = np.array([stats.ended for stats in timed])
    starts = ends - np.maximum([stats.seconds for stats in timed], 1e-3) if timed else ends
    if not timed or not np.isfinite(starts).all():
        return None
    starts, ends, breaks = _without_pauses(starts, ends)
    seconds = float(ends.max())
    edges = np.linspace(0.0, seconds, STRETCHES + 1)
    width = seconds / STRETCHES
    rates = {}
    for kind in KINDS:
        rows = np.array([getattr(stats.ledger, kind) for stats in timed], float)
        rates[kind] = np.diff(_done(starts, ends, rows, edges)) / width
    unit, size = next((name, size) for name, size, most in UNITS if seconds <= most * size)
    return Pace(
        unit=unit,
        edges=edges / size,
        rates=rates,
        breaks=[at / size for at in breaks],
        seconds=seconds,
        rows=sum(stats.ledger.read for stats in timed),
        tasks=len(timed),
    )


def _without_pauses(starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """The times from 0 on, without pauses; and where these were."""
    order = np.argsort(starts)
    sorted_starts, until = starts[order], np.maximum.accumulate(ends[order])
    gaps = np.maximum(sorted_starts[1:] - until[:-1], 0.0)
    gaps[gaps < PAUSE] = 0.0
    skipped = np.empty(len(starts))
    skipped[order] = sorted_starts[0] + np.concatenate([[0.0], np.cumsum(gaps)])
    places = np.flatnonzero(gaps) + 1
    return starts - skipped, ends - skipped, (starts - skipped)[order][places].tolist()


def _done(starts: np.ndarray, ends: np.ndarray, rows: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Rows done by each of some times: float [len(times)].

    A sum of ramps, each of which is a difference of two sums over tasks that began and that ended by then.
    """
    rates = rows / (ends - starts)
    total = np.zeros(len(times))
    for bounds, sign in ((starts, 1.0), (ends, -1.0)):
        order = np.argsort(bounds)
        rate = np.concatenate([[0.0], np.cumsum(rates[order])])
        moment = np.concatenate([[0.0], np.cumsum((rates * bounds)[order])])
        passed = np.searchsorted(bounds[order], times, side="right")
        total += sign * (times * rate[passed] - moment[passed])
    return np.maximum(total, 0.0)
