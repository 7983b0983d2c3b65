"""pyarrow.dataset."""

import numpy as np
import pyarrow.dataset
import pyarrow.parquet
from answer import NEAREST, QUERY, SHARDS, WRITTEN, answer

data = pyarrow.dataset.dataset(SHARDS).to_table()
vectors = data["embedding"].combine_chunks().flatten().to_numpy().reshape(len(data), -1)
nearest = data["key"].take(np.argsort(-(vectors @ QUERY / np.linalg.norm(vectors, axis=1)))[:NEAREST]).to_pylist()
pyarrow.parquet.write_table(data, WRITTEN / "part.parquet")
answer("pyarrow", {field.name: str(field.type) for field in data.schema}, data.to_pylist(), nearest)
