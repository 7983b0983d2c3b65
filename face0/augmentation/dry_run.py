"""What a job would read, write and take, judged by a few of its rows."""

import time
from collections import Counter
from collections.abc import Sequence
from itertools import islice

from face0.augmentation.augmenter import Augmenter
from face0.readers.samples import Sample, Split
from face0.shards.rows import FaceRow, to_batch
from face0.tasks.outcomes import Filtered
from face0.tasks.task import TaskRun
from schemas.failures import Failure

SAMPLE = 64  # rows tried


def survey(planned: Sequence[Split], runs: Sequence[TaskRun], output: str, worker: Augmenter) -> str:
    """Runs the first rows of what is left, writing nothing, and tells in words what the whole would come to."""
    size = sum({run.task.uri: run.task.size for run in runs}.values())  # a task knows the size of its whole file
    lines = [
        f"read:  {len({split.uri for split in planned}):,} inputs in {len(planned):,} tasks, "
        f"{len(planned) - len(runs):,} of them done; {len(runs):,} left, {size / 1e6:,.1f} MB",
    ]
    if not runs:
        return lines[0]
    notes: Counter[str] = Counter()
    rows = list(islice(worker.read(runs[0].task, notes), SAMPLE))
    started = time.monotonic()
    outcomes = list(worker.outcomes(rows))
    seconds = time.monotonic() - started
    kinds = Counter(
        str(outcome.reason) if isinstance(outcome, Failure) else type(outcome).__name__ for outcome in outcomes
    )
    kept = [outcome for outcome in outcomes if isinstance(outcome, FaceRow)]
    written = to_batch(kept, worker.schema).nbytes if kept else 0
    total = sum(_rows(run.task, rows) for run in runs)
    share = total / max(len(rows), 1)
    lines += [
        f"tried: {len(rows)} rows of {runs[0].task.uri}: "
        + ", ".join(f"{count} {kind}" for kind, count in kinds.items()),
        f"write: about {written * share / 1e6:,.1f} MB for about {total:,.0f} rows, to {output}",
        f"take:  about {seconds * share / 60:,.1f} minutes at {len(rows) / seconds:,.1f} rows/s in one such process",
    ]
    return "\n".join([*lines, *(f"       {count:,} {note}" for note, count in notes.items())])


def _rows(split: Split, sample: Sequence[Sample | Filtered | Failure]) -> float:
    """The rows of a split: known from the plan, or its size over that of the rows tried (2 KiB for what is around)."""
    if split.rows is not None:
        return split.rows
    images = [len(row.data or b"") for row in sample if isinstance(row, Sample)]
    return split.size / (2048 + sum(images) / max(len(images), 1))
