"""Colours by the numbers that video has for them (ITU-T H.273): AVIF, HEIC and PNG have them too.

The two curves of HDR are refused. A picture of theirs that is shown as if it were sRGB is grey and dull, and there is
no one way to make an sRGB picture of it.
"""

import struct
from typing import NamedTuple

import numpy as np

from face0.images.reading import BadImage
from schemas.failures import Reason

HDR_CURVES = {16: "PQ", 18: "HLG"}

# x and y of red, green, blue and white
_D65, _C, _DCI = (0.3127, 0.3290), (0.310, 0.316), (0.314, 0.351)
_SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), _D65)
_NTSC = ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65)
_PRIMARIES = {
    1: _SRGB,
    2: _SRGB,  # nothing said
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), _C),
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65),
    6: _NTSC,
    7: _NTSC,
    8: ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), _C),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _DCI),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
    22: ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), _D65),
}
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
# Exponents, or the curve of sRGB. The curves of SDR video are those of cameras (1, 6, 7, 11, 12, 14, 15): screens show
# them much as they show sRGB, and so do browsers and libavif.
_CURVES = dict.fromkeys((1, 2, 6, 7, 11, 12, 13, 14, 15), _SRGB_CURVE) | {4: (2.2,), 5: (2.8,), 8: (1.0,), 17: (2.6,)}

_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_D50 = np.array([63190, 65536, 54061]) / 65536


class Cicp(NamedTuple):
    """A colour space: H.273's ColourPrimaries and TransferCharacteristics."""

    primaries: int
    curve: int


def refuse_hdr(curve: int, name: str) -> None:
    """Raises BadImage for a curve of HDR in a file of the format ``name``."""
    if curve in HDR_CURVES:
        kind = HDR_CURVES[curve]
        raise BadImage(
            Reason.UNSUPPORTED, f"{name} in HDR ({kind}): convert it to sRGB, with a tone mapping of your choice"
        )


def profile_of(colours: Cicp, name: str) -> bytes | None:
    """The ICC profile of a colour space; None where it is sRGB.

    Raises:
        BadImage: the curve is one of HDR, or the numbers mean nothing that is read here.
    """
    refuse_hdr(colours.curve, name)
    if colours.primaries not in _PRIMARIES or colours.curve not in _CURVES:
        numbers = f"colour primaries {colours.primaries}, transfer characteristics {colours.curve} (H.273)"
        raise BadImage(Reason.UNSUPPORTED, f"{name} with {numbers}, which are not read: convert it to sRGB")
    primaries, curve = _PRIMARIES[colours.primaries], _CURVES[colours.curve]
    if primaries is _SRGB and curve is _SRGB_CURVE:
        return None
    return _profile(primaries, curve)


def _profile(primaries: tuple[tuple[float, float], ...], curve: tuple[float, ...]) -> bytes:
    """A profile of version 4 with a matrix and one curve (ICC.1:2022, 8.3.3 and 10.18)."""
    *colours, white = (np.array([x / y, 1, (1 - x - y) / y]) for x, y in primaries)
    matrix = np.column_stack(colours)
    matrix = matrix * np.linalg.solve(matrix, white)  # so that red, green and blue together are white
    adapt = np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white)) @ _BRADFORD
    matrix = adapt @ matrix
    kind = 0 if len(curve) == 1 else 3
    tags = {b"wtpt": _xyz(_D50)}
    for column, letter in zip(matrix.T, (b"r", b"g", b"b"), strict=True):
        tags[letter + b"XYZ"] = _xyz(column)
        tags[letter + b"TRC"] = struct.pack(">4s4xH2x", b"para", kind) + _fixed(*curve)
    table, body, at = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for tag, value in tags.items():
        table += struct.pack(">4sII", tag, at + len(body), len(value))
        body += value
    size = at + len(body)
    head = struct.pack(">I4xI4s4s4s12x4s", size, 0x04200000, b"mntr", b"RGB ", b"XYZ ", b"acsp").ljust(68, b"\0")
    return (head + _fixed(*_D50)).ljust(128, b"\0") + table + body


def _xyz(values: np.ndarray) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(*values)


def _fixed(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


# Adobe RGB (1998), 4.3
ADOBE_RGB = _profile(((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), _D65), (563 / 256,))
