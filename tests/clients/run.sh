#!/usr/bin/env bash
# Opens shards of this code in the clients of others, in environments of their own in build/clients, which stay: see
# docs/reference/clients.md. CLIENTS='Spark,Daft' asks these alone. What needs Java or Node is skipped without them.
set -euo pipefail
cd "$(dirname "$0")/../.."
where=$PWD/build/clients
uv=.venv/bin/uv
mkdir -p "$where"

# Environments are made anew where what they hold has changed.
for lock in python:requirements spark35:spark35; do
    name=${lock%%:*} file=tests/clients/${lock##*:}.txt
    if ! cmp --silent "$file" "$where/$name/made-of.txt"; then
        rm -rf "${where:?}/$name"
        .venv/bin/python -m venv --without-pip "$where/$name"
        "$uv" pip install --quiet --python "$where/$name/bin/python" --require-hashes -r "$file"
        cp "$file" "$where/$name/made-of.txt"
    fi
done
if command -v npm > /dev/null && ! cmp --silent tests/clients/package-lock.json "$where/node/made-of.json"; then
    rm -rf "$where/node"
    mkdir "$where/node"
    cp tests/clients/package.json tests/clients/package-lock.json "$where/node"
    npm ci --silent --ignore-scripts --prefix "$where/node"
    cp tests/clients/package-lock.json "$where/node/made-of.json"
fi
OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 RAY_USAGE_STATS_ENABLED=0 DO_NOT_TRACK=1 .venv/bin/python -m tests.clients.run "$where" "${CLIENTS:-}"
