"""Spark, by the reader that it takes by itself, and by the other."""

from answer import NEAREST, QUERY, SHARDS, WRITTEN, answer
from pyspark.sql import SparkSession

spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
spark.sparkContext.setLogLevel("OFF")
data = spark.read.parquet(SHARDS)
rows = data.collect()
spark.conf.set("spark.sql.parquet.enableVectorizedReader", "false")
assert spark.read.parquet(SHARDS).collect() == rows
spark.conf.set("spark.sql.parquet.enableVectorizedReader", "true")
data.createOrReplaceTempView("faces")
query = f"array({', '.join(f'{value}F' for value in map(repr, QUERY))})"
dot = "aggregate(zip_with({}, {}, (a, b) -> CAST(a * b AS DOUBLE)), 0D, (sum, x) -> sum + x)"
nearest = [
    row.key
    for row in spark.sql(
        "SELECT key FROM faces WHERE size(faces) > 0 "
        f"ORDER BY {dot.format('embedding', query)} / sqrt({dot.format('embedding', 'embedding')}) DESC LIMIT {NEAREST}"
    ).collect()
]
data.coalesce(1).write.mode("overwrite").parquet(str(WRITTEN))
answer("pyspark", dict(data.dtypes), rows, nearest)
