"""DataFusion."""

from answer import NEAREST, QUERY, SHARDS, WRITTEN, answer
from datafusion import SessionContext

context = SessionContext()
context.register_parquet("faces", SHARDS)
data = context.table("faces")
nearest = context.sql(
    f"SELECT key FROM faces ORDER BY cosine_distance(embedding, {QUERY}) LIMIT {NEAREST}"
).to_pydict()["key"]
data.write_parquet(str(WRITTEN))
answer("datafusion", {field.name: str(field.type) for field in data.schema()}, data.to_pylist(), nearest)
