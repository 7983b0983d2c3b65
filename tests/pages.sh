#!/usr/bin/env bash
# Opens pages of every kind in Chromium, by the python given: the W3C's checker, axe, keys and prints (tests/pages).
set -euo pipefail
python=$(realpath -s "${1:?python that has the project}")
cd "$(dirname "$0")/.."
for tool in node npm java; do
    if ! command -v "$tool" > /dev/null; then
        echo "skipped: there is no $tool (of Debian's nodejs, npm, default-jre-headless)"
        exit 0
    fi
done
if ! command -v chromium chromium-browser google-chrome > /dev/null; then
    echo "skipped: there is no Chromium (Debian's chromium)"
    exit 0
fi
# Three packages that need no other; none of their scripts runs, and no browser is fetched.
npm install --prefix build/pages --no-save --no-package-lock --ignore-scripts --no-audit --no-fund --prefer-offline \
    --loglevel error axe-core@4.14.1 playwright-core@1.65.1 vnu-jar@26.9.27
OMP_NUM_THREADS=1 "$python" -m pytest -q -m pages tests/pages
