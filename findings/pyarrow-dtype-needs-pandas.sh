#!/usr/bin/env bash
# Versions: pyarrow 25.0.1, NumPy 2.4.6, Python 3.11.
# Guess: DataType.to_pandas_dtype() maps Arrow's types to NumPy's dtypes, so NumPy is all that it takes.
# Behaviour: it imports pandas, for every type that it knows, and raises ModuleNotFoundError where pandas is missing.
# So code that passes its tests in a development environment breaks at the first user who has no pandas.
# Output seen:
#   float: ModuleNotFoundError: No module named 'pandas'
#   halffloat: ModuleNotFoundError: No module named 'pandas'
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet pyarrow==25.0.1 numpy==2.4.6
"$work/env/bin/python" - <<'SHOW'
import sys

import pyarrow as pa

print("pyarrow", pa.__version__)
changed = False
for kind in (pa.float32(), pa.float16()):
    try:
        print(f"{kind}: {kind.to_pandas_dtype()}")
        changed = True
    except ModuleNotFoundError as error:
        print(f"{kind}: ModuleNotFoundError: {error}")
sys.exit(changed)
SHOW
