"""fastparquet, which reads no lists of lists and no lists of structs."""

from glob import glob

import fastparquet
import numpy as np
from answer import FILES, NEAREST, QUERY, answer

data = fastparquet.ParquetFile(glob(FILES)).to_pandas(columns=["key", "caption", "width", "embedding"])
norm = np.linalg.norm
nearest = data.assign(s=[np.dot(v, QUERY) / norm(v) for v in data["embedding"]]).nlargest(NEAREST, "s")["key"].tolist()
answer("fastparquet", {name: str(data[name].dtype) for name in data}, data.to_dict("records"), nearest)
