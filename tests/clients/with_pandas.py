"""pandas."""

import numpy as np
import pandas as pd
from answer import NEAREST, QUERY, SHARDS, WRITTEN, answer

data = pd.read_parquet(SHARDS)
norm = np.linalg.norm
nearest = data.assign(s=[v @ QUERY / norm(v) for v in data["embedding"]]).nlargest(NEAREST, "s")["key"].tolist()
data.to_parquet(WRITTEN / "part.parquet")
answer("pandas", {name: str(data[name].dtype) for name in data}, data.to_dict("records"), nearest)
