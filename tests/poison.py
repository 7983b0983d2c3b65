"""Images as they turn up among millions: every kind that must decode right, and every kind that must be refused.

All of them are made here, from one small synthetic photo. ``CASES`` is what a test runs over; ``case(name)`` picks one.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from schemas.failures import Reason

HEIGHT, WIDTH = 24, 40


@dataclass(frozen=True, kw_only=True)
class Poison:
    name: str
    data: bytes
    file_name: str
    reason: Reason | None  # None: it decodes
    pixels: np.ndarray | None = None  # what it decodes to, where that is known
    within: float = 0.0  # the largest mean absolute difference from it


def photo(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Smooth, and another colour in every corner: red and green above, blue and yellow below."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j][..., None]
    red, green, blue, yellow = np.array([[220, 30, 40], [40, 200, 60], [30, 50, 210], [230, 220, 60]], float)
    mixed = (1 - y) * ((1 - x) * red + x * green) + y * ((1 - x) * blue + x * yellow)
    return (mixed + 12 * np.sin(9 * x) * np.cos(7 * y)).clip(0, 255).round().astype(np.uint8)


PHOTO = photo()
GREY = np.asarray(Image.fromarray(PHOTO).convert("L"))
GREY_RGB = np.repeat(GREY[..., None], 3, axis=2)
ALPHA = np.tile(np.linspace(0, 255, WIDTH).round().astype(np.uint8), (HEIGHT, 1))


def over_white(rgb: np.ndarray, alpha: np.ndarray = ALPHA) -> np.ndarray:
    share = alpha[..., None] / 255
    return (rgb * share + 255 * (1 - share)).round().astype(np.uint8)


def encode(image: Image.Image | np.ndarray, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(file, kind, **options)
    return file.getvalue()


def patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


# --- PNG by hand


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, bits: int, colour: int, idat: bytes, *before: bytes) -> bytes:
    """A PNG of these dimensions around any IDAT: compressed rows, each after a filter byte."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(before) + chunk(b"IDAT", idat) + chunk(b"IEND", b"")


def png_of(samples: np.ndarray, colour: int, *before: bytes) -> bytes:
    """An 8 or 16-bit PNG of samples [height, width] or [height, width, channels]."""
    height, width = samples.shape[:2]
    rows = samples.astype(samples.dtype.newbyteorder(">")).reshape(height, -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    return png(width, height, 8 * samples.itemsize, colour, zlib.compress(raw), *before)


def bomb(side: int = 12_000) -> bytes:
    """144 megapixels in 18 kB."""
    return png(side, side, 1, 0, zlib.compress(bytes((1 + side // 8) * side), 9))


# --- Profiles by hand


def icc(space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A version 2 profile of these tags."""
    head = struct.pack(
        ">4xI4s4s4s12x4s24x4x", 0x02400000, b"prtr" if space == b"CMYK" else b"mntr", space, connection, b"acsp"
    )
    head += struct.pack(">iii", 63190, 65536, 54061).ljust(60, b"\0")  # D50
    table, body, at = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for tag, value in tags.items():
        table += struct.pack(">4sII", tag, at + len(body), len(value))
        body += value.ljust(-(-len(value) // 4) * 4, b"\0")
    return struct.pack(">I", at + len(body)) + head + table + body


def swapped_profile() -> bytes:
    """SRGB with red and green swapped, so that it is seen at once whether it was applied."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return srgb.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")


def linear_grey_profile() -> bytes:
    """Grey in proportion to light."""
    white = b"XYZ \0\0\0\0" + struct.pack(">iii", 63190, 65536, 54061)
    return icc(b"GRAY", b"XYZ ", {b"kTRC": b"curv\0\0\0\0\0\0\0\0", b"wtpt": white})


def linear_rgb_profile() -> bytes:
    """The primaries of sRGB, in proportion to light."""
    primaries = {b"r": (28578, 14582, 911), b"g": (25238, 46983, 6364), b"b": (9378, 3971, 46799)}
    tags = {name + b"XYZ": b"XYZ \0\0\0\0" + struct.pack(">iii", *xyz) for name, xyz in primaries.items()}
    return icc(b"RGB ", b"XYZ ", tags | {name + b"TRC": b"curv\0\0\0\0\0\0\0\0" for name in primaries})


def odd_ink_profile() -> bytes:
    """CMYK whose four inks only grey the paper, each by as much: nothing like the plain formula."""
    ramp = bytes(range(256))
    corners = b"".join(bytes([255 - 60 * bin(corner).count("1"), 128, 128]) for corner in range(16))
    unity = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + unity + ramp * 4 + corners + ramp * 3
    return icc(b"CMYK", b"Lab ", {b"A2B0": lut})


def greyed(inks: np.ndarray) -> np.ndarray:
    """What ``odd_ink_profile`` makes of inks [height, width, 4]."""
    lightness = 100 - 60 / 255 * 100 * (inks / 255).sum(axis=-1)
    light = np.where(lightness > 8, ((lightness + 16) / 116) ** 3, lightness / 903.3).clip(0, 1)
    return np.repeat((to_srgb_curve(light) * 255).round().astype(np.uint8)[..., None], 3, axis=2)


def to_srgb_curve(light: np.ndarray) -> np.ndarray:
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


# --- JPEG by hand


def cmyk_of(rgb: np.ndarray, black: int) -> tuple[np.ndarray, np.ndarray]:
    """Inks [height, width, 4] of an image with a flat black plate, and the RGB that the plain formula makes of them."""
    inks = np.dstack([255 - rgb, np.full(rgb.shape[:2], black, np.uint8)])
    return inks, (rgb * ((255 - black) / 255)).round().astype(np.uint8)


def ycck(inks: np.ndarray) -> bytes:
    """A JPEG of YCCK: Pillow writes CMYK only, so it writes what CMYK would have to be, and the label is changed."""
    luma = np.asarray(Image.fromarray(np.ascontiguousarray(inks[..., :3])).convert("YCbCr"))
    data = encode(Image.fromarray(np.dstack([255 - luma, inks[..., 3]]), "CMYK"), "JPEG", quality=95)
    return patched(data, data.index(b"Adobe") + 11, b"\2")


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


def stored(upright: np.ndarray, orientation: int) -> np.ndarray:
    """The pixels that a file of this EXIF orientation holds, by the words of the EXIF standard."""
    flipped = upright[:, ::-1] if orientation in (2, 3, 7, 6) else upright
    flipped = flipped[::-1] if orientation in (3, 4, 7, 8) else flipped
    return np.ascontiguousarray(flipped.transpose(1, 0, 2) if orientation >= 5 else flipped)


def with_segment(jpeg: bytes, marker: int, body: bytes) -> bytes:
    """A JPEG with one more segment at its beginning."""
    return jpeg[:2] + struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body + jpeg[2:]


def sized(jpeg: bytes, width: int, height: int) -> bytes:
    """A baseline JPEG whose frame header claims another size."""
    return patched(jpeg, jpeg.index(b"\xff\xc0") + 5, struct.pack(">HH", height, width))


def many_scans(scans: int = 300) -> bytes:
    jpeg = encode(PHOTO, "JPEG", progressive=True)
    last = jpeg.rindex(b"\xff\xda")
    return jpeg[:last] + jpeg[last:-2] * scans + jpeg[-2:]


# --- The others by hand


def gif(width: int, height: int, before: bytes = b"") -> bytes:
    """A GIF with a screen of 1 x 1 under one frame of this size, which has next to no data.

    It is to be cleared after display: for that Pillow fills a frame in the colour of the ground, as it opens the file.
    """
    control = b"!\xf9\x04" + bytes([2 << 2, 0, 0, 0]) + b"\0"
    frame = b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x4c\x01\0"
    return b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6) + before + control + frame + b";"


def webp_canvas(width: int, height: int) -> bytes:
    """Two small frames on a canvas of this size, which a decoder allocates as it opens the file."""
    later = [Image.fromarray(255 - PHOTO)]
    data = encode(PHOTO, "WEBP", save_all=True, append_images=later, lossless=True)
    return patched(data, 24, (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little"))


def tiff_value(data: bytes, tag: int) -> int:
    """Where the value of a tag stands in a little-endian TIFF."""
    (at,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, at)
    return next(e + 8 for e in range(at + 2, at + 2 + 12 * entries, 12) if data[e : e + 2] == struct.pack("<H", tag))


def tiff_sized(width: int, height: int) -> bytes:
    data = encode(PHOTO, "TIFF")
    for tag, side in ((256, width), (257, height)):
        at = tiff_value(data, tag)
        data = patched(data, at - 6, struct.pack("<HII", 4, 1, side))
    return data


def tiff_tiled(side: int) -> bytes:
    """A small TIFF in one tile of this side: other tags are renamed to those of a tile, for the bytes it would take."""
    data = encode(PHOTO, "TIFF")
    for old, new, value in ((273, 324, None), (279, 325, None), (277, 322, side), (278, 323, side)):
        at = tiff_value(data, old) - 8
        entry = struct.pack("<H", new) if value is None else struct.pack("<HHII", new, 4, 1, value)
        data = patched(data, at, entry)
    return data


# --- The cases


def _good() -> Iterator[Poison]:
    def good(name: str, data: bytes, ending: str, pixels: np.ndarray | None = PHOTO, within: float = 0.5) -> Poison:
        return Poison(name=name, data=data, file_name=f"{name}.{ending}", reason=None, pixels=pixels, within=within)

    image = Image.fromarray(PHOTO)
    rgba = Image.fromarray(np.dstack([PHOTO, ALPHA]))
    la = Image.fromarray(np.dstack([GREY, ALPHA]))
    deep = PHOTO.astype(np.uint16) * 256 + 90
    jpeg = encode(PHOTO, "JPEG", quality=95, subsampling=0)
    palette = image.quantize(256)
    colours = np.asarray(palette.convert("RGB"))
    index = np.asarray(palette)

    yield good("jpeg", jpeg, "jpg", within=2)
    yield good("jpeg_progressive", encode(PHOTO, "JPEG", quality=95, subsampling=0, progressive=True), "jpg", within=2)
    yield good("jpeg_grey", encode(GREY, "JPEG", quality=95), "jpg", GREY_RGB, 2)
    yield good("png", encode(PHOTO, "PNG"), "png", within=0)
    yield good("png_grey", encode(GREY, "PNG"), "png", GREY_RGB, 0)
    yield good("webp", encode(PHOTO, "WEBP", quality=95), "webp", within=8)
    yield good("webp_lossless", encode(PHOTO, "WEBP", lossless=True), "webp", within=0)
    yield good("gif", encode(palette, "GIF"), "gif", colours, 0)
    yield good("tiff", encode(PHOTO, "TIFF"), "tif", within=0)
    yield good("tiff_lzw", encode(PHOTO, "TIFF", compression="tiff_lzw"), "tif", within=0)
    yield good("tiff_big", encode(PHOTO, "TIFF", big_tiff=True), "tif", within=0)
    yield good("png_named_jpg", encode(PHOTO, "PNG"), "jpg", within=0)
    yield good("no_ending", jpeg, "", within=2)

    for black in (0, 60):
        inks, plain = cmyk_of(PHOTO, black)
        cmyk = Image.fromarray(inks, "CMYK")
        yield good(f"jpeg_cmyk_{black}", encode(cmyk, "JPEG", quality=95), "jpg", plain, 3)
        yield good(f"jpeg_ycck_{black}", ycck(inks), "jpg", plain, 3)
        yield good(f"tiff_cmyk_{black}", encode(cmyk, "TIFF"), "tif", plain, 1)
    yield good("png_16_rgb", png_of(deep, 2), "png", within=0)
    yield good("png_16_rgba", png_of(np.dstack([deep, ALPHA * np.uint16(257)]), 6), "png", over_white(PHOTO), 1)
    yield good("png_16_grey", png_of(GREY * np.uint16(257), 0), "png", GREY_RGB, 0)
    yield good("png_16_la", png_of(np.dstack([GREY, ALPHA]) * np.uint16(257), 4), "png", over_white(GREY_RGB), 1)
    yield good("tiff_16_grey", encode(GREY * np.uint16(257), "TIFF"), "tif", GREY_RGB, 0)
    inverted = encode((255 - GREY) * np.uint16(257), "TIFF")
    inverted = patched(inverted, tiff_value(inverted, 262), b"\0\0")
    yield good("tiff_16_white_is_zero", inverted, "tif", GREY_RGB, 0)

    clear = np.where(index == index[0, 0], 0, 255).astype(np.uint8)
    yield good("png_palette", encode(palette, "PNG"), "png", colours, 0)
    transparent = encode(palette, "PNG", transparency=int(index[0, 0]))
    yield good("png_palette_transparent", transparent, "png", over_white(colours, clear), 0)
    shades = encode(palette, "PNG", transparency=bytes(range(256)))
    yield good("png_palette_shades", shades, "png", over_white(colours, index), 1)
    yield good("gif_transparent", encode(palette, "GIF", transparency=int(index[0, 0])), "gif", None)
    yield good("png_rgba", encode(rgba, "PNG"), "png", over_white(PHOTO), 1)
    yield good("png_la", encode(la, "PNG"), "png", over_white(GREY_RGB), 1)
    yield good("tiff_rgba", encode(rgba, "TIFF"), "tif", over_white(PHOTO), 1)
    pa = encode(Image.merge("PA", [palette, Image.fromarray(ALPHA)]), "TIFF")
    yield good("tiff_pa", patched_palette(pa, palette), "tif", over_white(colours), 1)
    yield good("webp_rgba", encode(rgba, "WEBP", lossless=True, exact=True), "webp", over_white(PHOTO), 1)
    key = chunk(b"tRNS", struct.pack(">H", int(GREY[0, 0])))
    keyed = over_white(GREY_RGB, np.where(GREY[0, 0] == GREY, 0, 255))
    yield good("png_grey_colour_key", png_of(GREY, 0, key), "png", keyed, 0)
    key = chunk(b"tRNS", struct.pack(">H", int(GREY[0, 0]) * 257))
    yield good("png_16_grey_colour_key", png_of(GREY * np.uint16(257), 0, key), "png", keyed, 0)
    key = chunk(b"tRNS", struct.pack(">HHH", *(int(value) * 256 + 90 for value in PHOTO[0, 0])))
    keyed = over_white(PHOTO, np.where((PHOTO[0, 0] == PHOTO).all(axis=-1), 0, 255))
    yield good("png_16_rgb_colour_key", png_of(deep, 2, key), "png", keyed, 0)
    nibbles = png(2, 1, 4, 0, zlib.compress(b"\0\x5a"), chunk(b"tRNS", b"\0\x05"))  # samples 5, clear, and 10
    yield good("png_4_bit_colour_key", nibbles, "png", np.array([[[255] * 3, [170] * 3]], np.uint8), 0)
    bits = GREY > 128
    yield good("png_1_bit", encode(Image.fromarray(bits), "PNG"), "png", np.dstack([bits * np.uint8(255)] * 3), 0)

    later = [Image.fromarray(255 - PHOTO)]
    animated = encode(palette, "GIF", save_all=True, append_images=[later[0].quantize(256)])
    yield good("gif_animated", animated, "gif", colours, 0)
    animated = encode(image, "WEBP", save_all=True, append_images=later, lossless=True)
    yield good("webp_animated", animated, "webp", within=0)
    yield good("png_animated", encode(image, "PNG", save_all=True, append_images=later), "png", within=0)
    yield good("tiff_pages", encode(image, "TIFF", save_all=True, append_images=later), "tif", within=0)
    yield good("jpeg_mpo", encode(image, "MPO", save_all=True, append_images=later, quality=95), "jpg", within=4)
    yield good("jpeg_broken_mpo", with_segment(jpeg, 0xE2, b"MPF\0" + bytes(range(90))), "jpg", within=2)

    for n in range(1, 9):
        turned, tag = stored(PHOTO, n), exif(n)
        yield good(f"jpeg_exif_{n}", encode(turned, "JPEG", quality=95, subsampling=0, exif=tag), "jpg", within=2)
        yield good(f"png_exif_{n}", encode(turned, "PNG", exif=tag), "png", within=0)
        yield good(f"webp_exif_{n}", encode(turned, "WEBP", lossless=True, exif=tag), "webp", within=0)
        yield good(f"tiff_exif_{n}", encode(turned, "TIFF", tiffinfo={274: n}), "tif", within=0)
    yield good("jpeg_exif_unknown", encode(PHOTO, "JPEG", quality=95, subsampling=0, exif=exif(9)), "jpg", within=2)
    for name, broken in {"short": b"MM", "noise": bytes(range(255, 0, -1)), "loop": b"II*\0\x08\0\0\0\xff\xff"}.items():
        data = encode(PHOTO, "JPEG", quality=95, subsampling=0, exif=b"Exif\0\0" + broken)
        yield good(f"jpeg_exif_{name}", data, "jpg", within=2)
    thumbnail = with_segment(jpeg, 0xE1, b"Exif\0\0II*\0" + encode(PHOTO[:8, :8], "JPEG"))
    yield good("jpeg_thumbnail", thumbnail, "jpg", within=2)

    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    yield good("jpeg_icc_srgb", encode(PHOTO, "JPEG", quality=95, subsampling=0, icc_profile=srgb), "jpg", within=2)
    swapped = PHOTO[..., [1, 0, 2]]
    for kind, options in {"png": {}, "tiff": {}, "webp": {"lossless": True}}.items():
        data = encode(PHOTO, kind, icc_profile=swapped_profile(), **options)
        yield good(f"{kind}_icc_swapped", data, kind, swapped, 1)
    data = encode(PHOTO, "JPEG", quality=95, subsampling=0, icc_profile=swapped_profile())
    yield good("jpeg_icc_swapped", data, "jpg", swapped, 2)
    data = encode(rgba, "PNG", icc_profile=swapped_profile())
    yield good("png_rgba_icc_swapped", data, "png", over_white(swapped), 1)
    lit = np.repeat((to_srgb_curve(GREY / 255) * 255).round().astype(np.uint8)[..., None], 3, axis=2)
    yield good("png_grey_icc_linear", encode(GREY, "PNG", icc_profile=linear_grey_profile()), "png", lit, 1)
    data = encode(GREY, "PNG", icc_profile=linear_rgb_profile())
    yield good("png_grey_icc_linear_rgb", data, "png", lit, 1)
    yield good("png_grey_icc_rgb", encode(GREY, "PNG", icc_profile=srgb), "png", GREY_RGB, 0)
    inks, _ = cmyk_of(PHOTO, 60)
    for kind, ending in (("TIFF", "tif"), ("JPEG", "jpg")):
        data = encode(Image.fromarray(inks, "CMYK"), kind, icc_profile=odd_ink_profile())
        yield good(f"{kind.lower()}_cmyk_icc", data, ending, greyed(inks), 3)
    yield good("png_icc_broken", encode(PHOTO, "PNG", icc_profile=srgb[:200]), "png", within=0)
    yield good("png_icc_other_space", encode(PHOTO, "PNG", icc_profile=linear_grey_profile()), "png", within=0)
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    yield good("jpeg_icc_lab", encode(PHOTO, "JPEG", quality=95, subsampling=0, icc_profile=lab), "jpg", within=2)

    yield good("jpeg_junk_after", jpeg + b"\0" * 100 + b"junk", "jpg", within=2)
    middle = (jpeg.index(b"\xff\xda") + len(jpeg)) // 2
    noise = bytes(np.random.default_rng(1).integers(0, 255, 20, np.uint8))  # no FF: it reads as wrong coefficients
    yield good("jpeg_noise_in_scan", patched(jpeg, middle, noise), "jpg", None)
    yield good("gif_without_trailer", encode(palette, "GIF")[:-1], "gif", colours, 0)
    yield good("one_pixel", encode(np.full((1, 1, 3), 7, np.uint8), "PNG"), "png", np.full((1, 1, 3), 7, np.uint8), 0)


def patched_palette(tiff: bytes, palette: Image.Image) -> bytes:
    """Writes the colours of an image over those of a TIFF with palette and alpha, which Pillow fills with greys."""
    at = struct.unpack_from("<I", tiff, tiff_value(tiff, 320))[0]
    colours = np.zeros((256, 3), np.uint16)
    known = np.array(palette.getpalette(), np.uint16).reshape(-1, 3)
    colours[: len(known)] = known * 256
    return patched(tiff, at, colours.T.astype("<u2").tobytes())


def _bad() -> Iterator[Poison]:
    def bad(name: str, data: bytes, reason: Reason, ending: str = "jpg") -> Poison:
        return Poison(name=name, data=data, file_name=f"{name}.{ending}", reason=reason)

    jpeg, flat = encode(PHOTO, "JPEG"), encode(PHOTO, "PNG")
    webp, tiff = encode(PHOTO, "WEBP"), encode(PHOTO, "TIFF")
    yield bad("empty", b"", Reason.EMPTY)

    whole = {"jpeg": jpeg, "png": flat, "webp": webp, "tiff": tiff, "gif": encode(PHOTO, "GIF")}
    whole["thumbnail"] = with_segment(jpeg, 0xE1, b"Exif\0\0" + jpeg)
    whole["progressive"] = encode(PHOTO, "JPEG", progressive=True)
    whole["lzw"] = encode(PHOTO, "TIFF", compression="tiff_lzw")
    for kind, data in whole.items():
        for share in (0.005, 0.02, 0.1, 0.5, 0.9):
            yield bad(f"{kind}_cut_at_{share}", data[: max(1, int(share * len(data)))], Reason.TRUNCATED)
        yield bad(f"{kind}_cut_at_the_end", data[:-2], Reason.TRUNCATED)
    yield bad("jpeg_cut_and_padded", jpeg[: len(jpeg) * 2 // 3] + bytes(20_000), Reason.TRUNCATED)
    rows = png(WIDTH, HEIGHT, 8, 2, zlib.compress(bytes(HEIGHT * (1 + 3 * WIDTH)), 0)[:900])
    yield bad("png_rows_missing", rows, Reason.TRUNCATED, "png")

    texts = {
        "html": b"<!DOCTYPE html>\n<html><body>404</body></html>",
        "svg": b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>',
        "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
        "text": b"Access denied: the signature has expired.\n",
        "json": b'{"error": "not found"}',
        "zeros": bytes(500),
        "noise": b"\x07" + np.random.default_rng(0).bytes(999),
        "mp4": b"\0\0\0\x20ftypisom\0\0\2\0isomiso2",
    }
    for name, data in texts.items():
        yield bad(name, data, Reason.NOT_AN_IMAGE)

    yield bad("bmp", encode(PHOTO, "BMP"), Reason.UNSUPPORTED)
    yield bad("avif", encode(PHOTO, "AVIF"), Reason.UNSUPPORTED)
    yield bad("jpeg2000", encode(PHOTO, "JPEG2000"), Reason.UNSUPPORTED)
    yield bad("ico", encode(PHOTO, "ICO", sizes=[(16, 16)]), Reason.UNSUPPORTED, "ico")
    yield bad("heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64), Reason.UNSUPPORTED, "heic")
    yield bad("jpeg_xl", b"\xff\x0a" + bytes(64), Reason.UNSUPPORTED, "jxl")
    yield bad("psd", b"8BPS\0\1" + bytes(64), Reason.UNSUPPORTED, "psd")
    yield bad("tiff_float", encode(GREY / np.float32(255), "TIFF"), Reason.UNSUPPORTED, "tif")
    yield bad("tiff_32_bit", encode(GREY.astype(np.int32), "TIFF"), Reason.UNSUPPORTED, "tif")
    yield bad("tiff_odd_layout", patched(tiff, tiff_value(tiff, 262), b"\x0c\0"), Reason.UNSUPPORTED, "tif")
    yield bad("jpeg_12_bit", patched(jpeg, jpeg.index(b"\xff\xc0") + 4, b"\x0c"), Reason.UNSUPPORTED)

    yield bad("png_bomb", bomb(), Reason.BOMB, "png")
    yield bad("png_huge", png(2**31 - 1, 2**31 - 1, 8, 6, zlib.compress(bytes(1000))), Reason.BOMB, "png")
    yield bad("jpeg_huge", sized(jpeg, 65500, 65500), Reason.BOMB)
    yield bad("jpeg_scans", many_scans(), Reason.BOMB)
    yield bad("gif_huge_frame", gif(30_000, 30_000), Reason.BOMB, "gif")
    # An extension without data, behind which Pillow steps over what others take for a frame
    hidden = b"!\x01\0" + b"," + bytes(43) + b"\0" + b"\0"
    yield bad("gif_huge_hidden_frame", gif(30_000, 30_000, hidden), Reason.BOMB, "gif")
    yield bad("webp_huge_canvas", webp_canvas(2**14, 2**14), Reason.BOMB, "webp")
    yield bad("tiff_huge", tiff_sized(2**31, 2**31), Reason.BOMB, "tif")
    yield bad("tiff_huge_tile", tiff_tiled(2**15), Reason.BOMB, "tif")

    yield bad("png_zero", png(0, 5, 8, 2, zlib.compress(b"")), Reason.ZERO_SIZE, "png")
    yield bad("jpeg_zero", sized(jpeg, WIDTH, 0), Reason.ZERO_SIZE)
    yield bad("tiff_zero", tiff_sized(0, HEIGHT), Reason.ZERO_SIZE, "tif")
    gif_zero = patched(gif(0, 0), 6, bytes(4))
    yield bad("gif_zero", gif_zero, Reason.ZERO_SIZE, "gif")
    yield bad("webp_zero", patched(webp, 26, bytes(2)), Reason.ZERO_SIZE, "webp")

    yield bad("png_bad_data", patched(flat, flat.index(b"IDAT") + 20, b"\0\1\2\3"), Reason.CORRUPT, "png")
    yield bad("png_bad_checksum", patched(flat, flat.index(b"IEND") - 8, b"\0\1\2\3"), Reason.CORRUPT, "png")
    yield bad("png_bad_zlib", png(WIDTH, HEIGHT, 8, 2, b"\x78\x9c" + b"\xff" * 500), Reason.CORRUPT, "png")
    yield bad("png_odd_depth", png(WIDTH, HEIGHT, 3, 2, zlib.compress(bytes(5000))), Reason.CORRUPT, "png")
    yield bad("jpeg_bad_tables", patched(jpeg, jpeg.index(b"\xff\xc4") + 4, b"\xee" * 60), Reason.CORRUPT)
    yield bad("jpeg_without_image", b"\xff\xd8\xff\xd9", Reason.CORRUPT)
    yield bad("gif_without_image", b"GIF89a\1\0\1\0\0\0\0;", Reason.CORRUPT, "gif")
    codes = encode(GREY, "GIF")
    yield bad("gif_bad_codes", patched(codes, codes.index(b"\x2c\0\0\0\0") + 10, b"\x20"), Reason.CORRUPT, "gif")
    yield bad("webp_noise", patched(webp, 30, np.random.default_rng(0).bytes(len(webp) - 30)), Reason.CORRUPT, "webp")
    lzw = whole["lzw"]
    where = struct.unpack_from("<I", lzw, tiff_value(lzw, 273))[0]
    yield bad("tiff_noise", patched(lzw, where, b"\xff" * 100), Reason.CORRUPT, "tif")


CASES: list[Poison] = [*_good(), *_bad()]


def case(name: str) -> Poison:
    return next(poison for poison in CASES if poison.name == name)
