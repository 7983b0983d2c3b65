"""The files of face shards: which there are, that they are what their stats say, and some of their columns."""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq

from face0.embedders.metadata import VectorMetadata, refuse_other_embedder
from face0.errors import StorageError, UsageError
from face0.io import storage
from face0.io.folder import Folder
from face0.runtime.concurrency import ordered_map
from face0.runtime.progress import tracked
from face0.shards.columns import FACE, read_columns
from face0.shards.rewritten import is_rewritten, open_rewritten, read_metadata
from face0.shards.shard import READERS, Shard
from face0.tasks.output_folder import OutputFolder
from schemas.face_shard import READABLE
from schemas.job import DataFile, TaskStats

_log = logging.getLogger(__name__)


def open_shards(uris: Sequence[str], embedder_from: str | None = None) -> list[Shard]:
    """The shards of each place, checked against their stats, where they have some, and against each other.

    Args:
        uris: output folders of augment, whose committed shards are meant; or files, folders and patterns of Parquet
            that another tool has made of such shards.
        embedder_from: what says how the embeddings of such files were made, where they do not say it themselves; see
            ``face0.shards.rewritten``.

    Raises:
        UsageError: no place, or one without shards; a shard that is missing, not what its stats say, or of another
            embedder than the first; a file that is no shard.
    """
    if not uris:
        raise UsageError("no face shards: give one or more output folders of `face0 augment`")
    shards = [shard for uri in uris for shard in _shards_of(uri, embedder_from)]
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


def _shards_of(uri: str, embedder_from: str | None) -> list[Shard]:
    folder = OutputFolder(uri)
    if is_rewritten(folder):
        return open_rewritten(uri, _stated(embedder_from) if embedder_from else None)
    files = shard_files(folder, folder.committed())
    footers = ordered_map(lambda file: _read_footer(folder, file), files, READERS, 4 * READERS)
    return list(tracked(footers, "shards opened", len(files)))


def _stated(uri: str) -> VectorMetadata:
    """What an output folder of augment, or a file, says of the embedder."""
    folder = OutputFolder(uri)
    if is_rewritten(folder):
        return read_metadata(uri)
    shard = _read_footer(folder, shard_files(folder, folder.committed())[0])
    return VectorMetadata(schema="face_shard", version=None, dim=shard.dim, embedder=shard.embedder)


def require_columns(shards: Sequence[Shard], columns: Collection[str]) -> None:
    """Raises UsageError unless all shards have all columns (see ``read_columns``)."""
    for shard in shards:
        if missing := [name for name in columns if name not in shard.columns]:
            named = ", ".join(name.replace(FACE, "faces[].") for name in missing)
            raise UsageError(
                f"{shard.uri} lacks {named}: take them along where it is written; it has "
                f"{', '.join(sorted(name for name in shard.columns if not name.startswith(FACE)))}"
            )


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
        rows = parquet.metadata.num_rows
        if rows != file.rows:
            raise UsageError(f"{uri} has {rows:,} rows, but its stats say {file.rows:,}: {remedy}")
        metadata = VectorMetadata.of(parquet.metadata.metadata)
        metadata.refuse_other_schema(uri, "face_shard", READABLE, "run augment of this version")
        yield Shard.of(uri, file, parquet, metadata, there.version), parquet


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


def scan_shard(
    folder: Folder, file: DataFile, columns: list[str], groups: Callable[[Shard], Iterable[int]] | None = None
) -> Iterator[tuple[Shard, pa.Table]]:
    """``iter_columns`` of a file that was not looked at before: it is opened once, and checked against its stats.

    Args:
        folder: that it lies in.
        file: what the stats say of it.
        columns: to read.
        groups: which row groups to read, in this order; None: all of them.
    """
    with _opened(folder, file) as (shard, parquet):
        for table in _row_groups(shard, parquet, columns, groups(shard) if groups else None):
            yield shard, table


def _row_groups(
    shard: Shard, parquet: pq.ParquetFile, columns: list[str], groups: Iterable[int] | None = None
) -> Iterator[pa.Table]:
    for index in range(len(shard.group_sizes)) if groups is None else groups:
        with _reading(shard.uri, index):
            table = read_columns(parquet, index, columns, shard.dim)
        yield table


def read_row_group(shard: Shard, index: int, columns: list[str]) -> pa.Table:
    """Some columns (see ``read_columns``) of one row group. Raises UsageError if it does not read."""
    with _reading(shard.uri, index), storage.open_uri(shard.uri) as file:
        return read_columns(pq.ParquetFile(file), index, columns, shard.dim)


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
            f"{uri}: row group {index} does not read ({error}): restore the file, or make it anew"
        ) from error
