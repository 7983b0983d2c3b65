"""Daft."""

import daft
from answer import FILES, NEAREST, QUERY, WRITTEN, answer
from daft import DataType, col
from daft.functions import cosine_distance

data = daft.read_parquet(FILES)
query = daft.lit(QUERY).cast(DataType.embedding(DataType.float32(), len(QUERY)))
nearest = data.sort(cosine_distance(col("embedding"), query)).limit(NEAREST).to_pydict()["key"]
data.write_parquet(str(WRITTEN))
answer("daft", {field.name: str(field.dtype) for field in data.schema()}, data.to_pylist(), nearest)
