#!/usr/bin/env bash
# Versions: pyarrow 25.0.1, Python 3.11.
# Guess: an Arrow IPC stream that lacks its end mark, because its writer was killed or the file was cut, is an error.
# Behaviour: pyarrow.ipc.open_stream takes the end of the file for the end of the stream, if it lies between two record
# batches: rows are missing, and nothing tells. Only a cut within a batch raises. So the Arrow files of Hugging Face's
# save_to_disk, which are streams, may be short without an error; their dataset_info.json has the number of rows.
# Output seen:
#   pyarrow 25.0.1
#   whole: 30 rows
#   without its end mark: 30 rows, no error
#   cut between two batches: 20 rows, no error
#   cut within a batch: OSError
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet pyarrow==25.0.1
"$work/env/bin/python" - <<'SHOW'
import sys

import pyarrow as pa

batch = pa.record_batch({"a": list(range(10))})
sink = pa.BufferOutputStream()
ends = []
with pa.ipc.new_stream(sink, batch.schema) as writer:
    for _ in range(3):
        writer.write_batch(batch)
        ends.append(sink.tell())
data = sink.getvalue().to_pybytes()
print("pyarrow", pa.__version__)
told = []
for name, stop in (
    ("whole", len(data)),
    ("without its end mark", ends[2]),
    ("cut between two batches", ends[1]),
    ("cut within a batch", ends[1] - 20),
):
    try:
        rows = pa.ipc.open_stream(data[:stop]).read_all().num_rows
        told.append(rows)
        print(f"{name}: {rows} rows" + (", no error" if stop < len(data) else ""))
    except (pa.ArrowException, OSError) as error:
        told.append(None)
        print(f"{name}: {type(error).__name__}")
sys.exit(told != [30, 30, 20, None])
SHOW
