"""The files of face shards: which there are, that they are what their stats say, and fields of their faces."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from face0.errors import UsageError
from face0.io import storage
from face0.runtime.concurrency import ordered_map
from face0.tasks.output_folder import OutputFolder
from schemas.face_shard import VERSION
from schemas.job import DataFile

logger = logging.getLogger(__name__)

EMBEDDER = "face0.embedder."  # prefix of the metadata that says how embeddings were made
FACE = "faces.list.element."  # prefix of the columns that are fields of the faces


@dataclass(frozen=True, kw_only=True)
class Shard:
    """A file of face shards, by its footer."""

    uri: str
    file: DataFile
    group_sizes: list[int]
    embedder: Mapping[str, str]
    dim: int


def open_shards(uris: Sequence[str]) -> list[Shard]:
    """The committed shards of the folders, checked against their stats and against each other."""
    if not uris:
        raise UsageError("no folder of face shards: give one or more output folders of `face0 augment`")
    files = [named for uri in uris for named in _committed(uri)]
    shards = list(ordered_map(lambda named: _open(*named), files, 16, 64))
    first = shards[0]
    for shard in shards[1:]:
        if differences := _differences(first, shard):
            raise UsageError(
                f"{first.uri} and {shard.uri} are of different embedders ({'; '.join(differences)}): "
                "train on folders of one, or run augment on the others again with it"
            )
    return shards


def _committed(uri: str) -> list[tuple[str, DataFile]]:
    """The shards that a folder's stats name, as (folder, file), in the order of their names."""
    committed = OutputFolder(uri).committed().values()
    files = [file for stats in committed for file in stats.files if file.name.startswith("shards/")]
    if not files:
        raise UsageError(
            f"{uri} holds no committed task of augment: check the path, or run `face0 augment ... --output {uri}`"
        )
    fs, success = storage.filesystem(storage.join(uri, "_SUCCESS"))
    if not fs.exists(success):
        logger.warning(
            f"{uri} is not finished (it has no _SUCCESS): what its {len(files)} committed tasks hold is used"
        )
    return [(uri, file) for file in sorted(files, key=lambda file: file.name)]


def _open(folder: str, file: DataFile) -> Shard:
    uri = storage.join(folder, file.name)
    remedy = f"run augment again into a new folder, or remove this task's file from {folder}/stats and run it again"
    try:
        with storage.open_uri(uri) as open_shards:
            footer = pq.read_metadata(open_shards)
    except FileNotFoundError as error:
        raise UsageError(f"{uri} is missing, but its stats name it: {remedy}") from error
    except (OSError, pa.ArrowException) as error:
        raise UsageError(f"{uri} does not open as Parquet ({error}): {remedy}") from error
    if footer.num_rows != file.rows:
        raise UsageError(f"{uri} has {footer.num_rows:,} rows, but its stats say {file.rows:,}: {remedy}")
    metadata = {name.decode(): value.decode() for name, value in footer.metadata.items() if name.startswith(b"face0.")}
    kind = metadata.get("face0.schema"), metadata.get("face0.version")
    if kind != ("face_shard", VERSION):
        raise UsageError(f"{uri} holds rows of {kind}, not of ('face_shard', {VERSION!r}): run augment of this version")
    return Shard(
        uri=uri,
        file=file,
        group_sizes=[footer.row_group(i).num_rows for i in range(footer.num_row_groups)],
        embedder={k.removeprefix(EMBEDDER): v for k, v in metadata.items() if k.startswith(EMBEDDER)},
        dim=int(metadata["face0.embedding_dim"]),
    )


def _differences(one: Shard, other: Shard) -> list[str]:
    a, b = ({"dim": str(shard.dim), **shard.embedder} for shard in (one, other))
    return [
        f"{name}: {a.get(name)}, {b.get(name)}" for name in sorted(a.keys() | b.keys()) if a.get(name) != b.get(name)
    ]


def iter_columns(shard: Shard, columns: list[str]) -> Iterator[pa.Table]:
    """Some columns of a shard, row group by row group."""
    with storage.open_uri(shard.uri) as file:
        open_shards = pq.ParquetFile(file)
        for index in range(len(shard.group_sizes)):
            with reading_row_group(shard.uri, index):
                table = open_shards.read_row_group(index, columns=columns, use_threads=False)
            yield table


@contextmanager
def reading_row_group(uri: str, index: int) -> Iterator[None]:
    """Names the row group that does not read."""
    try:
        yield
    except (OSError, ValueError, pa.ArrowException) as error:
        raise UsageError(
            f"{uri}: row group {index} does not read ({error}): "
            "restore the file, or run augment again into a new folder"
        ) from error


def face_field(table: pa.Table, name: str, slots: int) -> tuple[np.ndarray, np.ndarray]:
    """A field of the first ``slots`` faces of each row, [rows, slots, width], zeros where there is none; and where
    there is one, bool [rows, slots]."""
    faces = table["faces"].combine_chunks()
    offsets = faces.offsets.to_numpy()
    index = offsets[:-1, None] + np.arange(slots)
    present = index < offsets[1:, None]
    field = faces.values.field(name)
    listed = pa.types.is_fixed_size_list(field.type)
    values = (field.flatten() if listed else field).to_numpy()
    values = values.reshape(len(field), field.type.list_size if listed else 1)
    found = np.zeros((*present.shape, values.shape[1]), values.dtype)
    found[present] = values[index[present]]
    return found, present
