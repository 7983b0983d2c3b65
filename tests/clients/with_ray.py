"""Ray Data."""

import numpy as np
import ray
from answer import NEAREST, QUERY, SHARDS, WRITTEN, answer

ray.init(num_cpus=1, include_dashboard=False, logging_level="ERROR")
ray.data.DataContext.get_current().enable_progress_bars = False
data = ray.data.read_parquet(SHARDS)
nearest = [row["key"] for row in data.map(lambda row: {"key": row["key"], "s": np.dot(row["embedding"], QUERY) / np.linalg.norm(row["embedding"])}).sort("s", descending=True).take(NEAREST)]  # fmt: skip
data.write_parquet(str(WRITTEN))
schema = data.schema()
answer("ray", {name: str(kind) for name, kind in zip(schema.names, schema.types, strict=True)}, data.take_all(), nearest)
