"""ClickHouse, as a library (chdb)."""

import json

import chdb
from answer import FILES, NEAREST, QUERY, WRITTEN, answer

columns = [column for column in json.loads(chdb.query(f"DESCRIBE file('{FILES}')", "JSON").bytes())["data"]]
rows = json.loads(chdb.query(f"SELECT * EXCEPT image, length(image) AS image FROM file('{FILES}')", "JSON").bytes())["data"]  # fmt: skip
nearest = [row["key"] for row in json.loads(chdb.query(f"SELECT key FROM file('{FILES}') WHERE notEmpty(faces.score) ORDER BY cosineDistance(embedding, {QUERY}::Array(Float32)) LIMIT {NEAREST}", "JSON").bytes())["data"]]  # fmt: skip
chdb.query(f"SELECT * FROM file('{FILES}') INTO OUTFILE '{WRITTEN}/part.parquet'", "Parquet")
answer("chdb", {column["name"]: column["type"] for column in columns}, rows, nearest)
