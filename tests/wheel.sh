#!/usr/bin/env bash
# Builds the wheel and tries it as a stranger would: plain pip, an empty environment, two pictures.
set -euo pipefail
cd "$(dirname "$0")/.."
rm -rf build  # else modules that are gone would be in the wheel
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

.venv/bin/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir "$work/dist" .
python=${PYTHON:-python3}
"$python" -m venv "$work/env"
# The versions of the lock, so that the same wheel is tried with the same libraries each time.
sed -n 's/ \\$//; /^[A-Za-z0-9].*==/p' requirements.lock > "$work/versions.txt"
"$work/env/bin/pip" install --quiet --constraint "$work/versions.txt" "$work"/dist/*.whl
face0="$work/env/bin/face0"

cd "$work"  # where no source of the project lies
"$face0" --help > /dev/null
"$face0" augment --help > /dev/null
mkdir pictures
"$work/env/bin/python" - <<'MAKE'
from PIL import Image

for name in ("one", "two"):
    Image.new("RGB", (96, 64), "tan").save(f"pictures/{name}.png")
    open(f"pictures/{name}.txt", "w").write(f"picture {name}")
MAKE

echo "without facenet-pytorch: one sentence, exit code 2"
code=0
"$face0" augment pictures --embedder random:0 --keep-faceless --output refused 2> error.txt || code=$?
test "$code" = 2
test "$(wc -l < error.txt)" = 1
grep -q "pip install --no-deps facenet-pytorch==2.6.0" error.txt
test ! -e refused

echo "with it: two rows"
"$work/env/bin/pip" install --quiet --no-deps facenet-pytorch==2.6.0
"$face0" augment pictures --embedder random:0 --keep-faceless --output shards
grep -q '"written": 2' shards/_SUCCESS

echo "the demo, without its pictures' packages: one sentence; with them: the whole loop"
code=0
"$face0" demo 2> error.txt || code=$?
test "$code" = 2
grep -q "matplotlib and scikit-image" error.txt
"$work/env/bin/pip" install --quiet --constraint "$work/versions.txt" matplotlib scikit-image
"$face0" demo > demo.log 2>&1 || { cat demo.log; exit 1; }
test -s demo-output/audit/report.html
echo "the wheel works"
