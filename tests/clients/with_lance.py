"""Lance: the shards as a Lance data set."""

import lance
import pyarrow.dataset
from answer import NEAREST, QUERY, SHARDS, WRITTEN, answer

data = lance.write_dataset(pyarrow.dataset.dataset(SHARDS).to_table(), f"{WRITTEN}/faces.lance")
nearest = data.to_table(["key"], nearest={"column": "embedding", "q": QUERY, "k": NEAREST, "metric": "cosine"})[
    "key"
].to_pylist()
answer("pylance", {field.name: str(field.type) for field in data.schema}, data.to_table().to_pylist(), nearest)
