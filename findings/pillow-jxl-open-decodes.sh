#!/usr/bin/env bash
# Versions: pillow-jxl-plugin 1.3.8, Pillow 12.3.0, Python 3.11.
# Guess: Image.open of a JPEG XL reads its header alone, as with Pillow's own plugins, so that a limit on its size can be
# checked before the pixels take memory.
# Behaviour: Image.open decodes the whole picture, on all cores; its size is known once that is done. Image.load only
# copies it. Whoever bounds memory has to read the size from the file himself.
# Output seen:
#   pillow-jxl-plugin 1.3.8, Pillow 12.3.0
#   PNG of 6000 x 6000: 840 KB taken by open, 140,868 KB more by load
#   JPEG XL of 6000 x 6000: 216,252 KB taken by open, 32,924 KB more by load
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet pillow==12.3.0 pillow-jxl-plugin==1.3.8
cat > "$work/open.py" <<'OPEN'
import re
import sys
from pathlib import Path

import pillow_jxl  # noqa: F401
from PIL import Image


def peak():
    return int(re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())[1])


Image.MAX_IMAGE_PIXELS = None
start = peak()
image = Image.open(sys.argv[1])
opened = peak()
image.load()
print(opened - start, peak() - opened)
OPEN
"$work/env/bin/python" - "$work" <<'SHOW'
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pillow_jxl  # noqa: F401
from PIL import Image

work = Path(sys.argv[1])
print(f"pillow-jxl-plugin {version('pillow-jxl-plugin')}, Pillow {version('pillow')}")
picture = Image.linear_gradient("L").resize((6000, 6000)).convert("RGB")
taken = {}
for name, ending in (("PNG", "png"), ("JPEG XL", "jxl")):
    picture.save(work / f"a.{ending}")
    shown = subprocess.run(
        [sys.executable, work / "open.py", work / f"a.{ending}"], check=True, capture_output=True, text=True
    )
    taken[name] = [int(number) for number in shown.stdout.split()]
    print(f"{name} of 6000 x 6000: {taken[name][0]:,} KB taken by open, {taken[name][1]:,} KB more by load")
sys.exit(not (taken["PNG"][0] < 50_000 < 100_000 < taken["JPEG XL"][0]))
SHOW
