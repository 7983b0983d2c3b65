#!/usr/bin/env bash
# Versions: zstandard 0.25.0, Python 3.11.
# Guess: reading a .zst that was cut off in the middle raises an error at its end, as gzip, bz2 and lzma do (EOFError).
# Behaviour: zstandard.open and ZstdDecompressor.stream_reader give what can be unpacked and then end, as if that were
# all: no error, no flag. A tar.zst whose upload was broken off reads as a shorter one, unless what is inside tells.
# Output seen:
#   zstandard 0.25.0
#   gzip     : EOFError after 458,752 of 1,000,000 bytes
#   bz2      : EOFError after 0 of 1,000,000 bytes
#   lzma     : EOFError after 458,752 of 1,000,000 bytes
#   zstandard: no error, 393,216 of 1,000,000 bytes
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet zstandard==0.25.0
"$work/env/bin/python" - <<'SHOW'
import bz2
import gzip
import io
import lzma
import random
import sys

import zstandard

data = random.Random(0).randbytes(1_000_000)
print("zstandard", zstandard.__version__)


def read(file):
    """What a loop over a file gives, and the error that ends it."""
    got = 0
    try:
        while piece := file.read(2**16):
            got += len(piece)
    except EOFError as error:
        return got, type(error).__name__
    return got, None


ends = {}
for name, packed, open_packed in (
    ("gzip", gzip.compress(data), gzip.open),
    ("bz2", bz2.compress(data), bz2.open),
    ("lzma", lzma.compress(data), lzma.open),
    ("zstandard", zstandard.ZstdCompressor().compress(data), zstandard.open),
):
    got, ends[name] = read(open_packed(io.BytesIO(packed[: len(packed) // 2])))
    said = f"{ends[name]} after" if ends[name] else "no error,"
    print(f"{name:<9}: {said} {got:,} of {len(data):,} bytes")
sys.exit(ends != {"gzip": "EOFError", "bz2": "EOFError", "lzma": "EOFError", "zstandard": None})
SHOW
