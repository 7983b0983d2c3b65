"""DuckDB."""

import duckdb
from answer import FILES, NEAREST, QUERY, WRITTEN, answer

data = duckdb.sql(f"FROM '{FILES}'")
rows = [dict(zip(data.columns, values, strict=True)) for values in data.fetchall()]
nearest = (
    duckdb.execute(
        f"SELECT key FROM '{FILES}' WHERE len(faces) > 0 "
        f"ORDER BY array_cosine_distance(embedding::FLOAT[{len(QUERY)}], ?::FLOAT[{len(QUERY)}]) LIMIT {NEAREST}",
        [QUERY],
    )
    .df()["key"]
    .tolist()
)
duckdb.sql(f"COPY (FROM '{FILES}') TO '{WRITTEN}/part.parquet'")
answer("duckdb", dict(zip(data.columns, map(str, data.types), strict=True)), rows, nearest)
