"""Ray Data."""

import numpy as np
import ray
from answer import NEAREST, QUERY, SHARDS, WRITTEN, answer

ray.init(num_cpus=1, include_dashboard=False, logging_level="ERROR")
norm = np.linalg.norm
data = ray.data.read_parquet(SHARDS)
nearest = (
    data.map(lambda row: {"key": row["key"], "s": np.dot(row["embedding"], QUERY) / norm(row["embedding"])})
    .to_pandas()
    .nlargest(NEAREST, "s")["key"]
    .tolist()
)
data.write_parquet(str(WRITTEN))
types = {name: str(kind) for name, kind in zip(data.schema().names, data.schema().types, strict=True)}
answer("ray", types, data.take_all(), nearest)
