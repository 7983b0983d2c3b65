#!/usr/bin/env bash
# Versions: fastparquet 2026.9.0, pyarrow 25.0.1, Python 3.11.
# Guess: a reader that does not know lists of lists, or lists of structs, says so.
# Behaviour: fastparquet gives None for every row of such a column, without an error or a warning; lists of numbers are
# read.
# Output seen:
#   fastparquet 2026.9.0
#   [1.0, 2.0] | None | None
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet pyarrow==25.0.1 fastparquet==2026.9.0
"$work/env/bin/python" - "$work" <<'SHOW'
import sys

import fastparquet
import pyarrow as pa
import pyarrow.parquet as pq

path = f"{sys.argv[1]}/a.parquet"
pq.write_table(pa.table({"list": [[1.0, 2.0]], "lists": [[[1.0], [2.0]]], "structs": [[{"x": 1.0}]]}), path)
row = fastparquet.ParquetFile(path).to_pandas().iloc[0]
values = list(map(float, row["list"])), row["lists"], row["structs"]
print("fastparquet", fastparquet.__version__)
print(*values, sep=" | ")
sys.exit(values != ([1.0, 2.0], None, None))
SHOW
