"""Delta Lake (delta-rs): the shards as a Delta table."""

import deltalake
import pyarrow.dataset
from answer import NEAREST, QUERY, SHARDS, WRITTEN, answer

deltalake.write_deltalake(WRITTEN, pyarrow.dataset.dataset(SHARDS).to_table())
data = deltalake.DeltaTable(WRITTEN)
nearest = (
    deltalake.QueryBuilder()
    .register("faces", data)
    .execute(f"SELECT key FROM faces ORDER BY cosine_distance(embedding, {QUERY}) LIMIT {NEAREST}")
    .read_all()["key"]
    .to_pylist()
)
types = {field.name: str(field.type) for field in data.schema().fields}
answer("deltalake", types, data.to_pyarrow_table().to_pylist(), nearest)
