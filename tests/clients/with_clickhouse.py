"""ClickHouse, as a library (chdb)."""

import json
from typing import Any

import chdb
from answer import FILES, NEAREST, QUERY, WRITTEN, answer


def asked(query: str) -> list[dict[str, Any]]:
    """The rows of an answer."""
    return json.loads(chdb.query(query, "JSON").bytes())["data"]


columns = asked(f"DESCRIBE file('{FILES}')")
rows = asked(f"SELECT * EXCEPT image, length(image) AS image FROM file('{FILES}')")
nearest = [
    row["key"]
    for row in asked(
        f"SELECT key FROM file('{FILES}') WHERE notEmpty(faces.score) "
        f"ORDER BY cosineDistance(embedding, {QUERY}::Array(Float32)) LIMIT {NEAREST}"
    )
]
chdb.query(f"SELECT * FROM file('{FILES}') INTO OUTFILE '{WRITTEN}/part.parquet'", "Parquet")
answer("chdb", {column["name"]: column["type"] for column in columns}, rows, nearest)
