#!/usr/bin/env bash
# Versions: pyspark 4.2.0 and 4.3.0 (Java 17), fastparquet 2026.9.0, pyarrow 25.0.1, Python 3.11.
# Guess: BYTE_STREAM_SPLIT, an encoding of Parquet since 2.8 (2019) that pyarrow writes for floats when asked to, is read
# by every reader of today.
# Behaviour: Spark before 4.3 refuses the column (its vectorised reader, which it takes by itself; where another column
# alone is asked for, the file opens), and fastparquet raises NotImplementedError.
# Output seen:
#   pyspark 4.2.0: PLAIN read; BYTE_STREAM_SPLIT refused (Unsupported encoding: BYTE_STREAM_SPLIT)
#   pyspark 4.3.0: PLAIN read; BYTE_STREAM_SPLIT read
#   fastparquet 2026.9.0: PLAIN read; BYTE_STREAM_SPLIT refused (NotImplementedError: Encoding 9)
set -euo pipefail
command -v java > /dev/null || { echo "needs Java 17" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet pyarrow==25.0.1 fastparquet==2026.9.0
"$work/env/bin/python" - "$work" <<'MAKE'
import sys

import pyarrow as pa
import pyarrow.parquet as pq

table = pa.table({"v": pa.array([[0.5, 1.5], [2.5, 3.5]], pa.list_(pa.float32()))})
for name, encoding in (("PLAIN", {}), ("BYTE_STREAM_SPLIT", {"v.list.element": "BYTE_STREAM_SPLIT"})):
    pq.write_table(table, f"{sys.argv[1]}/{name}.parquet", use_dictionary=False, column_encoding=encoding or None)
MAKE
cat > "$work/fastparquet_reads.py" <<'READ'
import sys

import fastparquet

READS = lambda path: fastparquet.ParquetFile(path).to_pandas()["v"].tolist()
NAME = f"fastparquet {fastparquet.__version__}"
READ
cat > "$work/spark_reads.py" <<'READ'
import pyspark
from pyspark.sql import SparkSession

spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
spark.sparkContext.setLogLevel("OFF")
READS = lambda path: [list(row.v) for row in spark.read.parquet(path).collect()]
NAME = f"pyspark {pyspark.__version__}"
READ
cat > "$work/show.py" <<'SHOW'
import importlib
import re
import sys

reader = importlib.import_module(sys.argv[2])
told = []
for name in ("PLAIN", "BYTE_STREAM_SPLIT"):
    try:
        rows = [list(map(float, row)) for row in reader.READS(f"{sys.argv[1]}/{name}.parquet")]
        told.append("read" if rows == [[0.5, 1.5], [2.5, 3.5]] else f"wrong: {rows}")
    except Exception as error:
        why = re.search(r"Unsupported encoding: \w+", str(error))
        told.append(f"refused ({why[0] if why else f'{type(error).__name__}: {error}'})")
print(f"{reader.NAME}: PLAIN {told[0]}; BYTE_STREAM_SPLIT {told[1]}")
sys.exit(told[0] != "read" or told[1].partition(" ")[0] != sys.argv[3])
SHOW
changed=0
for version in 4.2.0 4.3.0; do
    python3 -m venv "$work/spark-$version"
    "$work/spark-$version/bin/pip" install --quiet "pyspark==$version"
    expected=refused
    [ "$version" = 4.3.0 ] && expected=read
    "$work/spark-$version/bin/python" "$work/show.py" "$work" spark_reads "$expected" 2> "$work/log" || changed=1
done
"$work/env/bin/python" "$work/show.py" "$work" fastparquet_reads refused || changed=1
exit $changed
