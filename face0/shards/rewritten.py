"""Face shards that other tools have written: filtered or joined in DuckDB, polars, pandas, Spark.

No stats say what they hold, and most tools drop the metadata by which a file says what made its embeddings. It is then
taken from the data card (``README.md``) in the file's folder or the one above, which augment writes into its output and
a user may copy; or from a place that the user names.
"""

import hashlib
import io
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from face0.embedders.metadata import VectorMetadata, refuse_other_embedder
from face0.errors import StorageError, UsageError
from face0.io import storage
from face0.io.cards import CARD
from face0.io.folder import Folder
from face0.io.secrets import public
from face0.readers.uris import folder_of, name_of
from face0.runtime.concurrency import ordered_map
from face0.runtime.progress import tracked
from face0.shards.shard import READERS, Shard
from schemas.face_shard import READABLE
from schemas.job import DataFile

_NEVER_NULL = ("key", "caption", "image", "image.bytes", "width", "height")
_SAYS = "name an output of augment, its README.md, or a bank"


def is_rewritten(folder: Folder) -> bool:
    """Whether a place is no output folder, though Parquet may lie there or be meant by its name."""
    return not folder.exists("job.json") and not folder.entries("stats")


def open_rewritten(uri: str, stated: VectorMetadata | None) -> list[Shard]:
    """The shards at a URI: a file, a pattern, or a folder with Parquet somewhere in it.

    Args:
        uri: of them.
        stated: what made the embeddings, by the user's word; None: files or their data card say it.

    Raises:
        UsageError: there are none; one is none; or nothing says what made the embeddings.
    """
    files = _files(uri)
    if not files:
        raise UsageError(
            f"{uri} holds no committed task of augment, and no Parquet: check the path, or run "
            f"`face0 augment ... --output {uri}`"
        )
    opened = ordered_map(lambda file: _open(file, stated), files, READERS, 4 * READERS)
    shards = list(tracked(opened, "shards opened", len(files)))
    # Of files without rows tools forget the types of the columns, too
    return [shard for shard in shards if shard.file.rows] or shards


def read_metadata(uri: str) -> VectorMetadata:
    """What a data card, a shard or a bank says of its vectors. Raises UsageError if it says nothing."""
    try:
        with storage.open_uri(uri) as file:
            if name_of(uri).lower().endswith(".md"):
                metadata = VectorMetadata.of_card(file.read().decode())
            else:
                metadata = VectorMetadata.of(pq.read_metadata(file).metadata)
    except StorageError:
        raise
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        raise UsageError(f"{uri} does not say what made vectors ({error}): {_SAYS}") from error
    if not metadata.dim:
        raise UsageError(f"{uri} does not say what made its vectors: {_SAYS}")
    return metadata


def _files(uri: str) -> Sequence[storage.Listed]:
    """The Parquet that is meant by a URI, by name. What begins with _ or . is of another kind, as tools have it."""
    if not any(character in uri for character in "*?[{") and storage.look(uri) is None:
        return []
    listed = []
    for place in storage.expand(uri):
        if not storage.is_folder(place.uri):
            listed.append(place)
            continue
        folder = Folder(place.uri)
        names = [name for name in folder.files() if name.lower().endswith(".parquet") and not _is_hidden(name)]
        listed += [file for name in names if (file := storage.look(folder.join(name))) is not None]
    return sorted(listed)


def _is_hidden(name: str) -> bool:
    return any(part.startswith(("_", ".")) for part in name.split("/"))


def _open(listed: storage.Listed, stated: VectorMetadata | None) -> Shard:
    try:
        with storage.open_uri(listed.uri) as opened:
            parquet = pq.ParquetFile(opened)
            metadata = _metadata(listed.uri, VectorMetadata.of(parquet.metadata.metadata), stated)
            _refuse_nulls(listed.uri, parquet.metadata)
            file = DataFile(
                name=public(listed.uri), rows=parquet.metadata.num_rows, bytes=listed.size, sha256=_digest(parquet)
            )
            return Shard.of(listed.uri, file, parquet, metadata, listed.version)
    except (StorageError, UsageError):
        raise
    except (OSError, pa.ArrowException) as error:
        raise UsageError(f"{listed.uri} does not open as Parquet ({error}): restore it, or make it anew") from error


def _metadata(uri: str, own: VectorMetadata, stated: VectorMetadata | None) -> VectorMetadata:
    """What made the embeddings of a file: by its own metadata, its data card, or the user's word."""
    if own.schema is not None:
        own.refuse_other_schema(uri, "face_shard", READABLE, "give face shards")
    known = own if own.dim else _of_card(uri)
    if known is None and stated is None:
        raise UsageError(
            f"{uri} does not say what made its embeddings, as tools drop a file's metadata: name the output of augment "
            "that it was made of by --embedder-from OUT, or copy the README.md there beside it"
        )
    if known is not None and stated is not None:
        refuse_other_embedder(
            uri, {"dim": known.dim, **known.embedder}, "--embedder-from", {"dim": stated.dim, **stated.embedder},
            "leave --embedder-from out, for the file says itself what made its embeddings",
        )  # fmt: skip
    return known or stated  # type: ignore[return-value]  # one of them is there


def _of_card(uri: str) -> VectorMetadata | None:
    folder = folder_of(uri)
    for place in (folder, folder_of(folder)):
        card = storage.join(place, CARD) if place else ""
        if card and storage.look(card) is not None:
            with storage.open_uri(card) as file:
                metadata = VectorMetadata.of_card(file.read().decode(errors="replace"))
            if metadata.dim:
                return metadata
    return None


def _refuse_nulls(uri: str, footer: pq.FileMetaData) -> None:
    """Raises UsageError if columns that no row is without hold nulls, as joins leave them."""
    for place in range(footer.num_columns):
        name = footer.schema.column(place).path
        if name in _NEVER_NULL:
            statistics = [footer.row_group(group).column(place).statistics for group in range(footer.num_row_groups)]
            if nulls := sum(values.null_count or 0 for values in statistics if values is not None):
                raise UsageError(f"{uri}: {name} is null in {nulls:,} rows: leave these out (WHERE {name} IS NOT NULL)")


def _digest(parquet: pq.ParquetFile) -> str:
    """Of the footer, which tells where each column of each row group lies, how long it is, and its range."""
    footer = io.BytesIO()
    parquet.metadata.write_metadata_file(footer)
    return hashlib.sha256(footer.getvalue()).hexdigest()
