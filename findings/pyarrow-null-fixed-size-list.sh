#!/usr/bin/env bash
# Versions: pyarrow 25.0.1, Python 3.11.
# Guess: a column of lists of a fixed size of which some are null is read back from Parquet as it was written.
# Behaviour: pyarrow writes it, polars and DuckDB read the file, and pyarrow itself raises: in Parquet a null list has no
# values, and the reader wants the fixed number of each. Lists of any size are read, nulls and all.
# Output seen:
#   pyarrow 25.0.1
#   list<float>: [[1.0, 2.0], None]
#   fixed_size_list<float>[2]: ArrowInvalid: Expected all lists to be of size=2 but index 2 had size=0
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet pyarrow==25.0.1
"$work/env/bin/python" - "$work" <<'SHOW'
import sys

import pyarrow as pa
import pyarrow.parquet as pq

print("pyarrow", pa.__version__)
told = []
for kind in (pa.list_(pa.float32()), pa.list_(pa.float32(), 2)):
    path = f"{sys.argv[1]}/a.parquet"
    pq.write_table(pa.table({"v": pa.array([[1.0, 2.0], None], kind)}), path)
    try:
        told.append(pq.read_table(path)["v"].to_pylist())
    except pa.ArrowException as error:
        told.append(f"{type(error).__name__}: {error}")
    print(f"{'list<float>' if kind == pa.list_(pa.float32()) else 'fixed_size_list<float>[2]'}: {told[-1]}")
sys.exit(told[0] != [[1.0, 2.0], None] or "Expected all lists to be of size=2" not in told[1])
SHOW
