"""What becomes of a row, and how a worker writes and counts it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from face0.runtime.device_errors import is_out_of_memory
from face0.tasks.task_output import TableWriter, TaskOutput
from schemas.failures import Failure, Reason


@dataclass(frozen=True)
class NoFace:
    """A row that ends here, for its image shows no usable face."""


@dataclass(frozen=True)
class Filtered:
    """A row that ends here, for the user does not want it."""


@dataclass(frozen=True)
class EarlierRow:
    """A row of an earlier commit that stays as it is.

    Attributes:
        row: a batch of one row.
    """

    row: pa.RecordBatch


@dataclass(frozen=True)
class Noted:
    """Rows of which there is something to say once for all.

    Attributes:
        rows: as they come.
        notes: what there is to say, and of how many, by the time that the rows have come.
    """

    rows: Iterable[Any]
    notes: Counter[str]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rows)


def why_failed(error: Exception) -> tuple[Reason, str]:
    """The reason and the message of a row at which a library raised an error."""
    if is_out_of_memory(error):
        return Reason.OUT_OF_MEMORY, f"does not fit into memory even alone: {error}"
    return Reason.LIBRARY_ERROR, f"{type(error).__name__}: {error}"


def write_outcomes(outcomes: Iterable[Any], table: TableWriter, output: TaskOutput) -> None:
    """Writes and counts the outcomes of a task.

    Args:
        outcomes: failures, NoFace, Filtered, EarlierRow, or rows that the table takes.
        table: of the rows.
        output: that holds the table.
    """
    for outcome in outcomes:
        output.ledger.read += 1
        if isinstance(outcome, Failure):
            output.fail(outcome)
        elif isinstance(outcome, NoFace):
            output.ledger.no_face += 1
        elif isinstance(outcome, Filtered):
            output.ledger.filtered += 1
        else:
            output.ledger.written += 1
            if isinstance(outcome, EarlierRow):
                table.write(outcome.row)
            else:
                table.add(outcome)
