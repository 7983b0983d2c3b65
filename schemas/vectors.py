"""Vectors as columns of Parquet, so that every tool reads them.

float32, though the values of shards and results are those of float16: Spark, Delta Lake and older Daft open no file
that has Parquet's FLOAT16 in it. Not in the encoding BYTE_STREAM_SPLIT, which would save an eighth to a quarter of the
bytes: Spark before 4.3 and fastparquet do not read it. No value is null, which ClickHouse's distances ask for.
"""

import pyarrow as pa


def vectors(length: int = -1) -> pa.DataType:
    """The Arrow type of a column of vectors.

    Args:
        length: of each; -1: of any. Only such may be null in a file: pyarrow does not read nulls of a fixed size back.
    """
    return pa.list_(pa.field("element", pa.float32(), nullable=False), length)
