#!/usr/bin/env bash
# Versions: Pillow 12.3.0, Python 3.11.
# Guess: Pillow gives the ICC profile of every format that can hold one as info["icc_profile"].
# Behaviour: of JPEG 2000 (a colr box of method 2) and of BMP (a header of version 5 with an embedded profile) it gives
# none, and says nothing. Display P3 or Adobe RGB in these files is taken for sRGB.
# Output seen:
#   Pillow 12.3.0
#   JPEG      : a profile of 588 bytes
#   PNG       : a profile of 588 bytes
#   JPEG 2000 : no profile
#   BMP       : no profile
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/pip" install --quiet pillow==12.3.0
"$work/env/bin/python" - <<'SHOW'
import io
import struct
import sys

import PIL
from PIL import Image, ImageCms

profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
picture = Image.new("RGB", (16, 16), (200, 100, 50))


def saved(format, **options):
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def with_colr(jp2):
    """The JP2 with its colr box, of an enumerated space, replaced by one that holds the profile."""
    at = jp2.index(b"colr") - 4
    (length,) = struct.unpack_from(">I", jp2, at)
    colr = struct.pack(">I4sBBB", 8 + 3 + len(profile), b"colr", 2, 0, 0) + profile
    header = jp2.index(b"jp2h") - 4
    (of_header,) = struct.unpack_from(">I", jp2, header)
    grown = struct.pack(">I", of_header + len(colr) - length)
    return jp2[:header] + grown + jp2[header + 4 : at] + colr + jp2[at + length :]


def bmp_of_version_5():
    rows = b"".join(bytes((50, 100, 200)) * 16 for _ in range(16))
    start = 14 + 124
    info = struct.pack("<IiiHHIIiiII", 124, 16, 16, 1, 24, 0, len(rows), 0, 0, 0, 0)
    info += bytes(16) + b"DEBM" + bytes(36 + 12) + struct.pack("<IIII", 4, 124 + len(rows), len(profile), 0)
    return struct.pack("<2sIHHI", b"BM", start + len(rows) + len(profile), 0, 0, start) + info + rows + profile


print("Pillow", PIL.__version__)
given = {}
for name, data in {
    "JPEG": saved("JPEG", icc_profile=profile),
    "PNG": saved("PNG", icc_profile=profile),
    "JPEG 2000": with_colr(saved("JPEG2000")),
    "BMP": bmp_of_version_5(),
}.items():
    image = Image.open(io.BytesIO(data))
    image.load()
    given[name] = image.info.get("icc_profile")
    print(f"{name:<10}:", f"a profile of {len(given[name])} bytes" if given[name] else "no profile")
sys.exit(not (given["JPEG"] and given["PNG"] and not given["JPEG 2000"] and not given["BMP"]))
SHOW
