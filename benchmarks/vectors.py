"""Bytes of stored vectors and what it takes to read them, by how they are stored.

  python -m benchmarks.vectors OUT/shards/TASK.parquet

The vectors of a shard (the first thousand of its faces) are written as a column of their own: float16, as shards of
version 1 have them within ``faces``, and float32 with the same values, as PLAIN, which version 3 is in, and as
BYTE_STREAM_SPLIT. All with zstd, in row groups of 256. Then what a query on the boxes reads, with the vectors within
``faces``, as in version 1, and beside them: the columns that DuckDB, polars and DataFusion read are those of the whole
struct.
"""

import argparse
import io
import time

import pyarrow as pa
import pyarrow.parquet as pq

from face0.shards.columns import all_embeddings, as_current

GROUP, TIMES, FACES = 256, 20, 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shard", metavar="SHARD")
    path = parser.parse_args().shard
    dim = int((pq.read_schema(path).metadata or {})[b"face0.embedding_dim"])
    vectors, _ = all_embeddings(as_current(pq.read_table(path, columns=["embeddings"]), dim))
    faces, vectors = len(vectors), vectors[:FACES]
    print(f"{len(vectors):,} vectors of {dim:,} values, pyarrow {pa.__version__}")
    a_face = {}
    for name, kind, encoding in (
        ("float16, PLAIN", pa.float16(), "PLAIN"),
        ("float32, PLAIN", pa.float32(), "PLAIN"),
        ("float32, BYTE_STREAM_SPLIT", pa.float32(), "BYTE_STREAM_SPLIT"),
    ):
        values = pa.array(vectors.astype(kind.to_pandas_dtype()).reshape(-1))
        size, milliseconds = stored(pa.FixedSizeListArray.from_arrays(values, dim), encoding)
        a_face[name] = size / len(vectors)
        print(
            f"{name}: {a_face[name]:,.0f} bytes a face, read in {1000 * milliseconds / len(vectors):.2f} ms per 1,000"
        )
    footer = pq.read_metadata(path)
    boxes = column_bytes(footer, "faces.")
    print(f"the shard: {column_bytes(footer, ''):,} bytes of columns, {faces:,} faces")
    within = boxes + faces * a_face["float16, PLAIN"]
    print(f"a query on boxes reads {boxes:,} bytes, and {within:,.0f} where float16 vectors are in `faces`")


def stored(vectors: pa.Array, encoding: str) -> tuple[int, float]:
    """Bytes of a file of these vectors, and the milliseconds of one core that it takes to read it."""
    file = io.BytesIO()
    table = pa.table({"v": vectors})
    column = {"v.list.element": encoding}
    with pq.ParquetWriter(file, table.schema, compression="zstd", use_dictionary=False, column_encoding=column) as out:
        out.write_table(table, row_group_size=GROUP)
    data = file.getvalue()
    begun = time.process_time()
    for _ in range(TIMES):
        pq.read_table(io.BytesIO(data), use_threads=False)
    return len(data), (time.process_time() - begun) / TIMES * 1000


def column_bytes(footer: pq.FileMetaData, beginning: str) -> int:
    """Compressed bytes of the columns whose paths begin so."""
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    columns = [group.column(number) for group in groups for number in range(footer.num_columns)]
    return sum(column.total_compressed_size for column in columns if column.path_in_schema.startswith(beginning))


if __name__ == "__main__":
    main()
