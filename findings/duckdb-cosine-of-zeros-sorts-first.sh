#!/usr/bin/env bash
# Versions: duckdb 2.0.1, Python 3.11.
# Guess: the cosine of a vector and one of zeros is null or 0, so that rows without a vector come last when the most
# similar are asked for.
# Behaviour: array_cosine_similarity gives NaN, and DuckDB takes NaN for the largest of all numbers: with ORDER BY ...
# DESC LIMIT these rows are the nearest. Ordered by array_cosine_distance they are the last.
# Output seen:
#   duckdb 2.0.1
#   by similarity, the largest first: [('zeros', nan), ('same', 1.0), ('other', 0.0)]
#   by distance, the least first: [('same', 0.0), ('other', 1.0), ('zeros', nan)]
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet duckdb==2.0.1
"$work/env/bin/python" - <<'SHOW'
import sys

import duckdb

rows = "(VALUES ('same', [1, 0]::FLOAT[2]), ('zeros', [0, 0]::FLOAT[2]), ('other', [0, 1]::FLOAT[2])) t(name, v)"
asked = "SELECT name, array_cosine_{0}(v, [1, 0]::FLOAT[2]) AS {0} FROM " + rows + " ORDER BY {0} {1}"
nearest = duckdb.sql(asked.format("similarity", "DESC")).fetchall()
least = duckdb.sql(asked.format("distance", "ASC")).fetchall()
print("duckdb", duckdb.__version__)
print("by similarity, the largest first:", nearest)
print("by distance, the least first:", least)
sys.exit([name for name, _ in nearest] != ["zeros", "same", "other"] or least[-1][0] != "zeros")
SHOW
