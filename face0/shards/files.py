"""The files of face shards: which there are, that they are what their stats say, and some of their columns."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from face0.embedders.metadata import VectorMetadata, refuse_other_embedder
from face0.errors import StorageError, UsageError
from face0.io import storage
from face0.io.folder import Folder
from face0.runtime.concurrency import ordered_map
from face0.shards.columns import read_columns
from face0.tasks.output_folder import OutputFolder
from schemas.face_shard import READABLE
from schemas.job import DataFile, TaskStats

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Shard:
    """A file of face shards, by its footer.

    Attributes:
        uri: of the file.
        file: what the stats of its task say of it.
        group_sizes: rows of each row group.
        embedder: what made the embeddings: the entries ``face0.embedder.*`` of its metadata, by the names after the
            dot.
        dim: length of an embedding.
        version: what its file system said of it as it was opened: see ``face0.io.listing.version``.
    """

    uri: str
    file: DataFile
    group_sizes: list[int]
    embedder: Mapping[str, str]
    dim: int
    version: str = ""


def open_shards(uris: Sequence[str]) -> list[Shard]:
    """The committed shards of the folders, checked against their stats and against each other.

    Raises:
        UsageError: no folder, or one without a committed task; a shard that is missing, not what its stats say, or of
            another embedder than the first.
    """
    if not uris:
        raise UsageError("no folder of face shards: give one or more output folders of `face0 augment`")
    files = [(folder, file) for folder in map(OutputFolder, uris) for file in shard_files(folder, folder.committed())]
    shards = list(ordered_map(lambda at: _read_footer(*at), files, 16, 64))
    first = shards[0]
    for shard in shards[1:]:
        refuse_other_embedder(
            first.uri,
            {"dim": first.dim, **first.embedder},
            shard.uri,
            {"dim": shard.dim, **shard.embedder},
            "train on folders of one, or run augment on the others again with it",
        )
    return shards


def shard_files(folder: OutputFolder, committed: Mapping[str, TaskStats]) -> list[DataFile]:
    """The shards that the stats of a folder name, in the order of their names. Raises UsageError if there are none."""
    files = [file for stats in committed.values() for file in stats.files if file.name.startswith("shards/")]
    if not files:
        raise UsageError(
            f"{folder.uri} holds no committed task of augment: check the path, "
            f"or run `face0 augment ... --output {folder.uri}`"
        )
    success = folder.success
    if success is not None and success.tasks != len(committed):
        raise UsageError(
            f"{folder.uri} has the stats of {len(committed):,} tasks, but its _SUCCESS says {success.tasks:,}: its "
            "augment command, run once more, mends it"
        )
    if success is None:
        _log.warning(
            "%s is not finished (it has no _SUCCESS): what its %d committed tasks hold is used", folder.uri, len(files)
        )
    return sorted(files, key=lambda file: file.name)


@contextmanager
def _opened(folder: Folder, file: DataFile) -> Iterator[tuple[Shard, pq.ParquetFile]]:
    """A shard by its footer, and the file open to be read on. Raises UsageError if it is not what its stats say."""
    uri = folder.join(file.name)
    remedy = f"the augment command of {folder.uri}, run once more, makes it anew"
    there = storage.look(uri)
    if there is None:
        raise UsageError(f"{uri} is missing, but its stats name it: {remedy}")
    if there.size != file.bytes:
        raise UsageError(f"{uri} has {there.size:,} bytes, but its stats say {file.bytes:,}: {remedy}")
    with folder.open(file.name) as opened:
        try:
            parquet = pq.ParquetFile(opened)
        except StorageError:
            raise
        except (OSError, pa.ArrowException) as error:
            raise UsageError(f"{uri} does not open as Parquet ({error}): {remedy}") from error
        footer = parquet.metadata
        if footer.num_rows != file.rows:
            raise UsageError(f"{uri} has {footer.num_rows:,} rows, but its stats say {file.rows:,}: {remedy}")
        metadata = VectorMetadata.of(footer.metadata)
        metadata.refuse_other_schema(uri, "face_shard", READABLE, "run augment of this version")
        shard = Shard(
            uri=uri,
            file=file,
            group_sizes=[footer.row_group(group).num_rows for group in range(footer.num_row_groups)],
            embedder=metadata.embedder,
            dim=metadata.dim,
            version=there.version,
        )
        yield shard, parquet


def _read_footer(folder: Folder, file: DataFile) -> Shard:
    with _opened(folder, file) as (shard, _):
        return shard


def iter_columns(shard: Shard, columns: list[str]) -> Iterator[pa.Table]:
    """Some columns of a shard (see ``read_columns``), row group by row group.

    Raises:
        UsageError: a row group does not read, or the file changes.
    """
    with storage.open_uri(shard.uri) as file:
        yield from _row_groups(shard, pq.ParquetFile(file), columns)
    refuse_changed(shard)


def scan_shard(folder: Folder, file: DataFile, columns: list[str]) -> Iterator[tuple[Shard, pa.Table]]:
    """``iter_columns`` of a file that was not looked at before: it is opened once, and checked against its stats."""
    with _opened(folder, file) as (shard, parquet):
        for table in _row_groups(shard, parquet, columns):
            yield shard, table


def _row_groups(shard: Shard, parquet: pq.ParquetFile, columns: list[str]) -> Iterator[pa.Table]:
    for index in range(len(shard.group_sizes)):
        with _reading(shard.uri, index):
            table = read_columns(parquet, index, columns)
        yield table


def read_row_group(shard: Shard, index: int, columns: list[str]) -> pa.Table:
    """Some columns (see ``read_columns``) of one row group. Raises UsageError if it does not read."""
    with _reading(shard.uri, index), storage.open_uri(shard.uri) as file:
        return read_columns(pq.ParquetFile(file), index, columns)


def refuse_changed(shard: Shard) -> None:
    """Raises UsageError if a shard that was read again is not the file any more that was opened first."""
    there = storage.look(shard.uri)
    if there is None or there.version != shard.version:
        raise UsageError(f"{shard.uri} has changed since it was opened: restore it, and run the same command again")


@contextmanager
def _reading(uri: str, index: int) -> Iterator[None]:
    """Raises UsageError, with the name of the row group that does not read."""
    try:
        yield
    except StorageError:
        raise
    except (OSError, ValueError, pa.ArrowException) as error:
        raise UsageError(
            f"{uri}: row group {index} does not read ({error}): "
            "restore the file, or run augment again into a new folder"
        ) from error
