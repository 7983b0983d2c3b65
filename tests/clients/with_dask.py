"""Dask."""

import dask.dataframe as dd
import numpy as np
from answer import NEAREST, QUERY, SHARDS, WRITTEN, answer

data = dd.read_parquet(SHARDS)
norm = np.linalg.norm
nearest = (
    data.assign(s=data["embedding"].map(lambda v: v @ QUERY / norm(v), meta=("s", float)))
    .compute()
    .nlargest(NEAREST, "s")["key"]
    .tolist()
)
rows = data.compute()
rows.to_parquet(WRITTEN / "part.parquet")
answer("dask", {name: str(rows[name].dtype) for name in rows}, rows.to_dict("records"), nearest)
