"""Rows that end before their image is fetched: they are not wanted, or cannot become a row whatever it shows."""

from collections import Counter
from collections.abc import Iterable, Iterator

from face0.readers.conditions import Condition
from face0.readers.samples import Sample
from face0.tasks.outcomes import Filtered
from schemas.failures import Failure, Reason, Stage

MAX_NOTES = 20
OTHERS = "further images of a key are not read: of several the first by name is, or that of --image-member ENDING"


def wanted(rows: Iterable[Sample | Failure], condition: Condition | None) -> Iterator[Sample | Filtered | Failure]:
    """Leaves out the samples that do not meet a condition."""
    for row in rows:
        is_out = condition is not None and isinstance(row, Sample) and not condition.is_met(row.values)
        yield Filtered() if is_out else row


def checked(rows: Iterable[Sample | Filtered | Failure], notes: Counter[str]) -> Iterator[Sample | Filtered | Failure]:
    """Fails samples that cannot become a row whatever their image is: without a caption, or with a key seen before.

    Args:
        rows: as they are read.
        notes: takes what is to be said once of many of them.
    """
    keys: set[str] = set()
    for row in rows:
        if not isinstance(row, Sample):
            yield row
            continue
        if row.others:
            _note(notes, OTHERS, row.others)
        if row.key in keys:
            yield row.failure(Stage.READ, Reason.DUPLICATE_KEY, f"key {row.key!r} was seen before in this task")
            continue
        keys.add(row.key)
        if row.caption and row.caption.strip():
            yield row
            continue
        if row.hint:
            _note(notes, f"without a caption: {row.hint}")
        hint = f": {row.hint}" if row.hint else ""
        yield row.failure(Stage.READ, Reason.NO_CAPTION, f"the image has no caption, or a blank one{hint}")


def _note(notes: Counter[str], note: str, count: int = 1) -> None:
    """Counts a note, of which a task has no more than so many: some have words in them that an input brings."""
    if note in notes or len(notes) < MAX_NOTES:
        notes[note] += count
