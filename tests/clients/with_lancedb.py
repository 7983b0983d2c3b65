"""LanceDB: the shards as a table of it."""

import lancedb
import pyarrow.dataset
from answer import NEAREST, QUERY, SHARDS, WRITTEN, answer

data = lancedb.connect(WRITTEN).create_table("faces", pyarrow.dataset.dataset(SHARDS).to_table())
nearest = [row["key"] for row in data.search(QUERY, "embedding").distance_type("cosine").limit(NEAREST).to_list()]
answer("lancedb", {field.name: str(field.type) for field in data.schema}, data.to_arrow().to_pylist(), nearest)
