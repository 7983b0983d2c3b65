"""polars."""

import numpy as np
import polars as pl
from answer import FILES, NEAREST, QUERY, WRITTEN, answer

data = pl.read_parquet(FILES)
vectors = data["embedding"].to_numpy()
nearest = data["key"].gather(np.argsort(-(vectors @ QUERY / np.linalg.norm(vectors, axis=1)))[:NEAREST]).to_list()
data.write_parquet(WRITTEN / "part.parquet")
answer("polars", {name: str(kind) for name, kind in data.schema.items()}, data.to_dicts(), nearest)
