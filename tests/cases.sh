#!/usr/bin/env bash
# Runs the cases of a folder, a script of Python each: a small input of a kind that people have, and exit code 0 where
# what becomes of it is what they expect. Tells nothing but each one's verdict, and all that a failing one said.
set -euo pipefail
cases=${1:?folder of the cases} data=${2:?folder of the data}
if ! [ -d "$cases" ] || ! [ -d "$data" ]; then
    echo "skipped: there is no $cases, or no $data"
    exit 0
fi
cd "$(dirname "$0")/.."
cores=$(env -u OMP_NUM_THREADS nproc)  # which goes by that variable
export PY=$PWD/.venv/bin/python FACE0=$PWD/.venv/bin/face0 DATA=$data OMP_NUM_THREADS=1
export HUNT_FORK=1 PYTHONPATH=$PWD # jobs run within the script's own process, which has imported everything once
one() {
    if said=$("$PY" "$1" 2>&1); then
        echo "$(basename "$1" .py): $(tail -n 1 <<<"$said")"
    else
        printf '%s\n%s FAILED\n' "$said" "$(basename "$1" .py)"
        exit 1
    fi
}
export -f one
# Looks for the vectors within the faces, where version 1 of the shards had them. What it asks, that of two outputs the
# vector is found, tests/unit/embedders/test_onnx_model.py asks.
earlier=24-onnx-two-outputs
[ -f "$cases/$earlier.py" ] && echo "$earlier: not run, it is about shards of version 1"
printf '%s\n' "$cases"/[0-9]*.py | grep -v "/$earlier.py$" | xargs -P "$cores" -I{} bash -c 'one {}'
