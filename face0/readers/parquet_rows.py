"""Parquet, row by row: what the readers of images and of lists share."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq

from face0.io.storage import STORAGE_ERRORS, open_uri
from face0.readers.columns import is_text
from face0.readers.failures import unreadable_rest
from schemas.failures import Failure

# What a file that is corrupt or cut short ends in. Errors of the storage are OSErrors too, and are raised before these.
UNREADABLE = (OSError, EOFError, pa.ArrowException)

# Read ahead per column. Without it Arrow loads whole column chunks: all the images of a row group.
_BUFFER_BYTES = 2**20


@contextmanager
def open_parquet(uri: str) -> Iterator[pq.ParquetFile]:
    """Opens a file and reads its footer. Raises one of STORAGE_ERRORS or UNREADABLE."""
    with open_uri(uri) as file:
        yield pq.ParquetFile(file, buffer_size=_BUFFER_BYTES, pre_buffer=False, page_checksum_verification=True)


def read_footer(uri: str) -> tuple[pa.Schema, list[int]] | None:
    """The schema and the number of rows of each row group; None if the footer cannot be read."""
    try:
        with open_parquet(uri) as file:
            groups = range(file.metadata.num_row_groups)
            return file.schema_arrow, [file.metadata.row_group(group).num_rows for group in groups]
    except STORAGE_ERRORS:
        raise
    except UNREADABLE:
        return None


def row_batches(
    file: pq.ParquetFile, uri: str, rows: range, columns: Sequence[str], batch_size: int
) -> Iterator[tuple[int, pa.RecordBatch | Failure]]:
    """The rows of a range, a batch at a time, as (number of the first row, batch).

    Where a row group cannot be read on, a Failure stands for those of its rows that are still wanted, and the next
    row group follows.
    """
    end = 0
    for group in range(file.metadata.num_row_groups):
        row, end = end, end + file.metadata.row_group(group).num_rows
        wanted = range(max(row, rows.start), min(end, rows.stop))
        if not wanted:
            continue
        batches = file.iter_batches(batch_size, row_groups=[group], columns=list(columns), use_threads=False)
        while row < wanted.stop:
            try:
                batch = next(batches, None)
            except STORAGE_ERRORS:
                raise
            except UNREADABLE as error:
                yield _unreadable(uri, range(max(row, wanted.start), wanted.stop), error)
                break
            if batch is None:
                yield _unreadable(uri, range(max(row, wanted.start), wanted.stop), "they are not in their row group")
                break
            skipped = max(wanted.start - row, 0)
            if skipped < len(batch):
                yield row + skipped, batch.slice(skipped, wanted.stop - row - skipped)
            row += len(batch)


def _unreadable(uri: str, rows: range, error: Exception | str) -> tuple[int, Failure]:
    return rows.start, unreadable_rest(uri, error, part=f"rows {rows.start} to {rows.stop - 1}")


def texts(column: pa.Array) -> list[str | None]:
    """The values of a column of strings or integers, as strings.

    Parquet promises UTF-8 and Arrow does not check: what is none is replaced.
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if not is_text(column.type):
        column = column.cast(pa.string())
    values = column.cast(pa.large_binary()).to_pylist()
    return [None if value is None else value.decode("utf-8", "replace") for value in values]
