"""Parquet, row by row: what the readers of images and of lists share."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from face0.io.storage import STORAGE_ERRORS, open_uri
from face0.readers.failures import failed_row, unreadable_rest
from face0.readers.further_columns import Value, plain
from face0.readers.parquet_pages import MAX_COLUMNS, WatchedFile, check_rows
from face0.readers.uris import name_of, row_key
from face0.readers.values import python_values
from schemas.failures import Failure, Reason

# What a file that is corrupt or cut short ends in. Errors of the storage are OSErrors too, and are raised before these.
UNREADABLE = (OSError, EOFError, pa.ArrowException)

# Read ahead per column. Without it Arrow loads whole column chunks: all the images of a row group.
_BUFFER_BYTES = 2**20


# Of values that rows share: a dictionary of 1 MiB, as most are at most, leaves 32 rows at a time.
_SHARED_BYTES = 32 * 2**20


@dataclass(frozen=True)
class ParquetInput:
    """A Parquet file that was opened.

    Attributes:
        parquet: Arrow's reader of it.
        watched: the file under that reader.
    """

    parquet: pq.ParquetFile
    watched: WatchedFile

    @property
    def schema(self) -> pa.Schema:
        """The columns."""
        return self.parquet.schema_arrow

    @property
    def group_rows(self) -> list[int]:
        """The number of rows of each row group."""
        footer = self.parquet.metadata
        return [footer.row_group(group).num_rows for group in range(footer.num_row_groups)]

    def chunks(self, group: int, leaves: Sequence[str]) -> Iterator[pq.ColumnChunkMetaData]:
        """What the footer says of some columns of a row group; a leaf is a column, or "column.field"."""
        footer = self.parquet.metadata.row_group(group)
        for index in range(footer.num_columns):
            column = footer.column(index)
            if any(column.path_in_schema == leaf or column.path_in_schema.startswith(f"{leaf}.") for leaf in leaves):
                yield column


@contextmanager
def open_parquet(uri: str) -> Iterator[ParquetInput]:
    """Opens a file and reads its footer. Raises one of STORAGE_ERRORS or UNREADABLE."""
    with open_uri(uri) as file:
        watched = WatchedFile(file)
        footer = watched.footer_size()
        parquet = pq.ParquetFile(
            watched,
            buffer_size=_BUFFER_BYTES,
            pre_buffer=False,
            page_checksum_verification=True,
            # Room is made for as many as are claimed, before there is one.
            thrift_string_size_limit=max(footer, 1),
            thrift_container_size_limit=max(min(footer, 2**16), 1),
        )
        opened = ParquetInput(parquet, watched)
        if parquet.metadata.num_columns > MAX_COLUMNS:
            raise pa.ArrowInvalid(f"it has {parquet.metadata.num_columns:,} columns; the limit is {MAX_COLUMNS:,}")
        check_rows(opened.group_rows, watched.size)
        yield opened


def read_footer(uri: str) -> tuple[pa.Schema, list[int]] | None:
    """The schema and the number of rows of each row group; None if the footer cannot be read."""
    try:
        with open_parquet(uri) as file:
            return file.schema, file.group_rows
    except STORAGE_ERRORS:
        raise
    except UNREADABLE:
        return None


def row_batches(
    file: ParquetInput, uri: str, rows: range, leaves: Sequence[str], batch_size: int
) -> Iterator[tuple[int, pa.RecordBatch | Failure]]:
    """The rows of a range, a batch at a time, as (number of the first row, batch).

    Where a row group cannot be read on, a Failure stands for those of its rows that are still wanted, and the next
    row group follows. Rows that do not fit into memory are a Failure each.
    """
    end = 0
    for group, count in enumerate(file.group_rows):
        row, end = end, end + count
        wanted = range(max(row, rows.start), min(end, rows.stop))
        if not wanted:
            continue
        try:
            shared = file.watched.expect(file.chunks(group, leaves))
            size = min(batch_size, max(1, _SHARED_BYTES // max(shared, 1)))
            batches = file.parquet.iter_batches(size, row_groups=[group], columns=list(leaves), use_threads=False)
            while row < wanted.stop:
                batch = next(batches, None)
                if batch is None:
                    raise pa.ArrowInvalid("they are not in their row group")
                skipped = max(wanted.start - row, 0)
                if skipped < len(batch):
                    yield row + skipped, batch.slice(skipped, wanted.stop - row - skipped)
                row += len(batch)
        except MemoryError:
            yield from out_of_memory(uri, range(max(row, wanted.start), wanted.stop))
        except STORAGE_ERRORS:
            raise
        except UNREADABLE as error:
            yield _unreadable(uri, range(max(row, wanted.start), wanted.stop), error)


def out_of_memory(uri: str, rows: range) -> Iterator[tuple[int, Failure]]:
    """A Failure for each of some rows."""
    for row in rows:
        message = f"row {row} of {name_of(uri)}, or a row before it, does not fit into memory as it is read"
        yield row, failed_row(row_key(uri, row), f"{uri}#{row}", Reason.OUT_OF_MEMORY, message)


def _unreadable(uri: str, rows: range, error: Exception) -> tuple[int, Failure]:
    return rows.start, unreadable_rest(uri, error, part=f"rows {rows.start} to {rows.stop - 1}")


def also_values(batch: pa.RecordBatch, names: Sequence[str]) -> list[dict[str, Value]]:
    """The values of the columns that come along, a dictionary a row."""
    columns = [_plain_values(batch.column(name)) for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)] if names else [{}] * len(batch)


def _plain_values(column: pa.Array) -> list[Value]:
    if pa.types.is_temporal(column.type):  # Python's own times are no nanoseconds
        column = column.cast(pa.string())
    return [plain(value) for value in python_values(column)]
