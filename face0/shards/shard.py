"""One file of face shards, by its footer."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow.parquet as pq

from face0.embedders.metadata import VectorMetadata
from face0.shards.columns import available
from schemas.job import DataFile

READERS = 16  # threads that read footers


@dataclass(frozen=True, kw_only=True)
class Shard:
    """A file of face shards.

    Attributes:
        uri: of the file.
        file: what the stats of its task say of it; where there are none, its URI, and the digest of its footer, which
            tells rows and sizes.
        group_sizes: rows of each row group.
        group_bytes: of each row group, when it is in memory.
        columns: that can be read: see ``face0.shards.columns.read_columns``.
        embedder: what made the embeddings: the entries ``face0.embedder.*`` of its metadata, by the names after the
            dot.
        dim: length of an embedding.
        version: what its file system said of it as it was opened: see ``face0.io.listing.version``.
    """

    uri: str
    file: DataFile
    group_sizes: list[int]
    group_bytes: list[int]
    columns: frozenset[str]
    embedder: Mapping[str, str]
    dim: int
    version: str = ""

    @classmethod
    def of(cls, uri: str, file: DataFile, parquet: pq.ParquetFile, metadata: VectorMetadata, version: str) -> "Shard":
        """The shard that an open file is. ``metadata`` says what made its embeddings."""
        groups = [parquet.metadata.row_group(index) for index in range(parquet.metadata.num_row_groups)]
        return cls(
            uri=uri,
            file=file,
            group_sizes=[group.num_rows for group in groups],
            group_bytes=[group.total_byte_size for group in groups],
            columns=frozenset(available(parquet.schema_arrow)),
            embedder=metadata.embedder,
            dim=metadata.dim,
            version=version,
        )
