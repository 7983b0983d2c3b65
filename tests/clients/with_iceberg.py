"""Iceberg (pyiceberg): the shards as files of an Iceberg table, which are not written again."""

from glob import glob

import pyarrow.parquet
from answer import FILES, NEAREST, QUERY, WRITTEN, answer
from pyiceberg.catalog.sql import SqlCatalog

catalog = SqlCatalog("c", uri="sqlite:///:memory:", warehouse=f"file://{WRITTEN}")
catalog.create_namespace("n")
data = catalog.create_table("n.faces", schema=pyarrow.parquet.read_schema(glob(FILES)[0]))
data.add_files(glob(FILES))
rows = data.scan().to_arrow().to_pylist()
nearest = (
    data.scan()
    .to_duckdb("faces")
    .execute(f"SELECT key FROM faces ORDER BY list_cosine_distance(embedding, ?::FLOAT[]) LIMIT {NEAREST}", [QUERY])
    .df()["key"]
    .tolist()
)
answer("pyiceberg", {field.name: str(field.field_type) for field in data.schema().fields}, rows, nearest)
