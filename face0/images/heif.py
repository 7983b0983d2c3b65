"""HEIF and AVIF: the one picture of a file, taken out of it (ISO/IEC 23008-12, 23000-22).

Such a file is a small file system: thumbnails, depth, gain maps, films and metadata lie in it beside the picture. A
decoder is given a file made here that holds the picture alone: its tiles, its alpha, and how they are coded. So what a
decoder will take is known before it sees a byte, and turning, cropping and colours are done in one way, here, for both.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from face0.images import bitstreams
from face0.images.boxes import Box, box, boxes, full_box
from face0.images.cicp import Cicp, profile_of
from face0.images.headers import Header
from face0.images.orientation import TURNS, upright
from face0.images.reading import BadImage, read
from schemas.failures import Reason

MAX_TILES = 4096  # 65 to 200 are usual
MAX_PROPERTIES = 4096
_CODECS = {b"hvc1": "HEIC", b"av01": "AVIF"}
_CONFIGURATIONS = {b"hvc1": b"hvcC", b"av01": b"av1C"}
_OTHERS = {
    b"avc1": "H.264", b"vvc1": "H.266", b"jpeg": "JPEG", b"j2k1": "JPEG 2000", b"unci": "uncompressed",
    b"iovl": "overlaid", b"iden": "derived", b"tmap": "tone-mapped", b"lhv1": "layered HEVC", b"evc1": "EVC",
}  # fmt: skip
_ALPHA = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0", b"urn:mpeg:hevc:2015:auxid:1\0")
# What the decoder is told. Not how to turn and crop, nor profiles and metadata.
_KEPT = (b"ispe", b"pixi", b"hvcC", b"av1C", b"auxC")


@dataclass
class _Item:
    kind: bytes = b""
    extents: list[tuple[int, int]] = field(default_factory=list)
    properties: list[Box] = field(default_factory=list)
    children: list[int] = field(default_factory=list)  # tiles, row by row
    alpha_of: list[int] = field(default_factory=list)
    premultiplied_by: list[int] = field(default_factory=list)

    def property(self, kind: bytes) -> Box | None:
        return next((found for found in self.properties if found.kind == kind), None)


def heif_header(data: bytes, name: str) -> Header:
    """Reads the boxes of a file, and makes one of the picture alone.

    Args:
        data: the file.
        name: "HEIC" or "AVIF", by its brands.

    Raises:
        BadImage: the file is cut short, says what cannot be, or holds a picture of another kind.
    """
    file = _File(data)
    item = file.items.get(file.primary)
    if item is None:
        raise BadImage(Reason.CORRUPT, f"{name} whose main picture is missing")
    tiles = file.tiles(file.primary)
    kinds = {file.items[tile].kind for tile in tiles if tile in file.items}
    other = next((kind for kind in (item.kind, *kinds) if kind in _OTHERS), None)
    if other is not None:
        raise BadImage(
            Reason.UNSUPPORTED, f"HEIF with a picture that is {_OTHERS[other]}, which is not read: convert it"
        )
    if len(kinds) != 1 or not kinds <= _CODECS.keys():
        raise BadImage(Reason.CORRUPT, f"{name} whose main picture is of no known kind")
    if file.end > len(data):
        return Header(width=1, height=1, end=file.end)
    name = _CODECS[kinds.pop()]
    coded = [file.coded(tile) for tile in dict.fromkeys(tiles)]
    width, height = file.canvas(file.primary, coded)
    if not width or not height:
        return Header(width=0, height=0, end=file.end)
    alphas = file.alphas(file.primary)
    for alpha in alphas:
        wide, high = file.canvas(alpha, [file.coded(tile) for tile in dict.fromkeys(file.tiles(alpha))])
        if wide * high > width * height:
            raise BadImage(Reason.CORRUPT, f"{name} whose alpha is larger than its picture")
    crop, orientation = _transforms(data, item)
    return Header(
        width=width,
        height=height,
        end=file.end,
        bits=max(picture.bits for picture in coded),
        file=file.of_one_picture(file.primary, alphas, name),
        codec=name,
        profile=_profile(data, file, item, tiles, coded[0], name) or b"",
        crop=crop,
        orientation=orientation,
    )


class _File:
    """The items of a file: what they are, and where they lie."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        parts: dict[bytes, Box] = {}
        for found in boxes(data):
            parts.setdefault(found.kind, found)
            if found.kind == b"meta":
                break
        meta = parts.get(b"meta")
        if meta is None and b"moov" in parts:
            raise BadImage(Reason.UNSUPPORTED, "HEIF or AVIF without a still picture (a film): take one out of it")
        if meta is None:
            raise BadImage(Reason.TRUNCATED, f"HEIF or AVIF that ends after {len(data):,} bytes, before its picture")
        self.end = meta.stop
        read(data, meta.stop - 1, "B")
        parts = {found.kind: found for found in boxes(data, meta.start + 4, meta.stop)}
        missing = {b"pitm", b"iinf", b"iloc", b"iprp"} - parts.keys()
        if missing:
            raise BadImage(Reason.CORRUPT, "HEIF or AVIF without the boxes that tell where its picture lies")
        self.items: dict[int, _Item] = {}
        self._idat = parts.get(b"idat")
        wide = data[parts[b"pitm"].start]
        (self.primary,) = read(data, parts[b"pitm"].start + 4, ">I" if wide else ">H")
        self._read_kinds(parts[b"iinf"])
        self._read_places(parts[b"iloc"])
        self._read_properties(parts[b"iprp"])
        if b"iref" in parts:
            self._read_references(parts[b"iref"])
        self._bound()

    def _read_kinds(self, iinf: Box) -> None:
        first = iinf.start + (8 if self.data[iinf.start] else 6)
        for entry in boxes(self.data, first, iinf.stop):
            if entry.kind != b"infe" or self.data[entry.start] not in (2, 3):
                continue
            layout = ">I2x4s" if self.data[entry.start] == 3 else ">H2x4s"
            number, kind = read(self.data, entry.start + 4, layout)
            self.items[number] = _Item(kind=kind)

    def _read_places(self, iloc: Box) -> None:
        data, at = self.data, iloc.start
        version, sizes = data[at], read(data, at + 4, "BB")
        offset_size, length_size, base_size = sizes[0] >> 4, sizes[0] & 15, sizes[1] >> 4
        index_size = sizes[1] & 15 if version else 0
        wide = 4 if version == 2 else 2
        count, at = self._number(at + 6, wide), at + 6 + wide
        for _ in range(count):
            number, at = self._number(at, wide), at + wide
            method = 0
            if version:
                method, at = self._number(at, 2) & 15, at + 2
            at += 2  # which file: always this one
            base, at = self._number(at, base_size), at + base_size
            extents, at = self._number(at, 2), at + 2
            item = self.items.get(number)
            if extents > 1 and not offset_size + length_size:
                raise BadImage(Reason.CORRUPT, "HEIF or AVIF with many places of no size")
            for _ in range(extents):
                at += index_size
                offset, at = base + self._number(at, offset_size), at + offset_size
                length, at = self._number(at, length_size), at + length_size
                if at > iloc.stop:
                    raise BadImage(Reason.CORRUPT, "HEIF or AVIF with places beyond the box that holds them")
                if item is not None:
                    item.extents.append(self._extent(method, offset, length))

    def _extent(self, method: int, offset: int, length: int) -> tuple[int, int]:
        """Where a part of an item begins and ends in the file; nowhere for a way of storing that is not read."""
        if method == 1 and self._idat is not None:
            start = self._idat.start + offset
            return start, min(start + length if length else self._idat.stop, self._idat.stop)
        if method:
            return 0, 0
        return offset, offset + length if length else len(self.data)

    def _number(self, at: int, size: int) -> int:
        if not size:
            return 0
        if size not in (2, 4, 8):
            raise BadImage(Reason.CORRUPT, "HEIF or AVIF with numbers of an odd size")
        return read(self.data, at, {2: ">H", 4: ">I", 8: ">Q"}[size])[0]

    def _read_properties(self, iprp: Box) -> None:
        data = self.data
        parts = list(boxes(data, iprp.start, iprp.stop))
        known = [found for part in parts if part.kind == b"ipco" for found in boxes(data, part.start, part.stop)]
        total = 0
        for part in (part for part in parts if part.kind == b"ipma"):
            at, wide, large = part.start + 8, data[part.start] > 0, data[part.start + 3] & 1
            for _ in range(self._number(part.start + 4, 4)):
                number, at = self._number(at, 4 if wide else 2), at + (4 if wide else 2)
                (count,) = read(data, at, "B")
                at += 1
                total += count
                if total > MAX_PROPERTIES * 8 or at + count * (1 + large) > part.stop:
                    raise BadImage(Reason.CORRUPT, "HEIF or AVIF with too many properties of its items")
                for place in range(count):
                    index = read(data, at + place * (1 + large), ">H" if large else "B")[0] & (
                        0x7FFF if large else 0x7F
                    )
                    if number in self.items and 0 < index <= len(known):
                        self.items[number].properties.append(known[index - 1])
                at += count * (1 + large)

    def _read_references(self, iref: Box) -> None:
        wide = self.data[iref.start]
        number = ">I" if wide else ">H"
        size = struct.calcsize(number)
        for found in boxes(self.data, iref.start + 4, iref.stop):
            source, count = read(self.data, found.start, number + "H")
            if found.start + size + 2 + count * size > found.stop:
                raise BadImage(Reason.CORRUPT, "HEIF or AVIF with references beyond the box that holds them")
            targets = read(self.data, found.start + size + 2, f">{count}{number[1]}")
            item = self.items.get(source)
            if item is None:
                continue
            if found.kind == b"dimg":
                item.children = list(targets)
            elif found.kind == b"auxl":
                item.alpha_of = list(targets)
            elif found.kind == b"prem":
                item.premultiplied_by = list(targets)

    def _bound(self) -> None:
        """Finds out where the last byte of the picture is, and that its parts do not share theirs."""
        needed = [self.primary, *self.tiles(self.primary)]
        for alpha in self.alphas(self.primary):
            needed += [alpha, *self.tiles(alpha)]
        extents = [extent for number in set(needed) if number in self.items for extent in self.items[number].extents]
        self.end = max([self.end, *(stop for _, stop in extents)])
        if sum(stop - start for start, stop in extents) > 2 * self.end:
            raise BadImage(Reason.BOMB, "HEIF or AVIF whose parts share their bytes")

    def tiles(self, number: int) -> list[int]:
        """The coded items that a picture is made of: itself, or those of its grid."""
        item = self.items.get(number)
        if item is None or item.kind != b"grid":
            return [number]
        if not 0 < len(item.children) <= MAX_TILES:
            raise BadImage(
                Reason.UNSUPPORTED, f"HEIF or AVIF of {len(item.children)} tiles; up to {MAX_TILES} are read"
            )
        return item.children

    def alphas(self, number: int) -> list[int]:
        """The items that are the alpha of a picture: one at most."""
        for candidate, item in self.items.items():
            auxiliary = item.property(b"auxC")
            if number not in item.alpha_of or auxiliary is None:
                continue
            if self.data[auxiliary.start + 4 : auxiliary.stop].startswith(_ALPHA):
                return [candidate]
        return []

    def payload(self, number: int) -> bytes:
        return b"".join(memoryview(self.data)[start:stop] for start, stop in self.items[number].extents)

    def coded(self, number: int) -> bitstreams.Coded:
        """What a coded item says of itself, in its boxes or its bitstream: the larger size."""
        item = self.items.get(number)
        if item is None or item.kind not in _CODECS:
            raise BadImage(
                Reason.CORRUPT, "HEIF or AVIF with a tile that is missing, or of another kind than pictures are"
            )
        size, configuration = item.property(b"ispe"), item.property(_CONFIGURATIONS[item.kind])
        if size is None or configuration is None:
            raise BadImage(Reason.CORRUPT, "HEIF or AVIF with a picture whose size or coding is not told")
        width, height = read(self.data, size.start + 4, ">II")
        look = bitstreams.hevc if item.kind == b"hvc1" else bitstreams.av1
        told = look(self.data[configuration.start : configuration.stop], self.payload(number))
        if not width or not height:
            return told._replace(width=0, height=0)
        return told._replace(width=max(width, told.width), height=max(height, told.height))

    def canvas(self, number: int, coded: Sequence[bitstreams.Coded]) -> tuple[int, int]:
        """Width and height of what a decoder allocates for a picture: its tiles, or the canvas if that is larger."""
        width, height = max(picture.width for picture in coded), max(picture.height for picture in coded)
        if self.items[number].kind != b"grid":
            return width, height
        grid = self.payload(number)
        _, flags, rows, columns = (*grid[:4], 0, 0, 0, 0)[:4]
        try:
            wide, high = struct.unpack_from(">II" if flags & 1 else ">HH", grid, 4)
        except struct.error:
            raise BadImage(Reason.CORRUPT, "HEIF or AVIF with a grid that tells no size") from None
        if (rows + 1) * (columns + 1) != len(self.items[number].children):
            raise BadImage(Reason.CORRUPT, "HEIF or AVIF with a grid of more or fewer tiles than there are")
        if not wide or not high:
            return 0, 0
        return max(wide, width * (columns + 1)), max(high, height * (rows + 1))

    def of_one_picture(self, number: int, alphas: Sequence[int], name: str) -> bytes:
        """A file of a picture, its tiles and its alpha."""
        numbers = list(dict.fromkeys(n for top in (number, *alphas) for n in (top, *self.tiles(top))))
        ids = {old: new for new, old in enumerate(numbers, 1)}
        properties: dict[bytes, int] = {}
        entries, associations, references, payloads = b"", b"", b"", []
        for old, new in ids.items():
            item = self.items[old]
            entries += full_box(b"infe", 2, struct.pack(">HH4sx", new, 0, item.kind))
            kept = [properties.setdefault(content, len(properties) + 1) for content in self._kept(item)]
            associations += struct.pack(f">HB{len(kept)}H", new, len(kept), *kept)
            if item.kind == b"grid":
                tiles = [ids[tile] for tile in item.children]
                references += box(b"dimg", struct.pack(f">HH{len(tiles)}H", new, len(tiles), *tiles))
            payloads.append(self.payload(old))
        for alpha in alphas:
            references += box(b"auxl", struct.pack(">HHH", ids[alpha], 1, ids[number]))
            if alpha in self.items[number].premultiplied_by:
                references += box(b"prem", struct.pack(">HHH", ids[number], 1, ids[alpha]))
        association = struct.pack(">II", 1, len(ids)) + associations  # flag 1: indices of 15 bits
        parts = (
            full_box(b"hdlr", 0, bytes(4), b"pict", bytes(13)),
            full_box(b"pitm", 0, struct.pack(">H", ids[number])),
            full_box(b"iinf", 0, struct.pack(">H", len(ids)), entries),
            full_box(b"iref", 0, references) if references else b"",
            box(b"iprp", box(b"ipco", *properties), box(b"ipma", association)),
        )
        brand = b"heic" if name == "HEIC" else b"avif"
        head = box(b"ftyp", brand, bytes(4), b"mif1", brand, b"miaf")
        size = 12 + sum(map(len, parts)) + 16 + 14 * len(ids)
        places, at = b"", len(head) + size + 8
        for new, payload in enumerate(payloads, 1):
            places += struct.pack(">HHHII", new, 0, 1, at, len(payload))
            at += len(payload)
        iloc = full_box(b"iloc", 0, struct.pack(">HH", 0x4400, len(ids)), places)
        return head + full_box(b"meta", 0, *parts, iloc) + box(b"mdat", *payloads)

    def _kept(self, item: _Item) -> Iterator[bytes]:
        for found in item.properties:
            content = self.data[found.start : found.stop]
            if found.kind in _KEPT or (found.kind == b"colr" and content.startswith(b"nclx")):
                yield box(found.kind, content)


def _profile(
    data: bytes, file: _File, item: _Item, tiles: Sequence[int], coded: bitstreams.Coded, name: str
) -> bytes | None:
    """The ICC profile of a picture: what it holds, else one made of the numbers of its colours."""
    holders = (item, file.items[tiles[0]])
    told = [
        data[found.start : found.stop] for holder in holders for found in holder.properties if found.kind == b"colr"
    ]
    numbers = [Cicp(*read(colours, 4, ">HH")) for colours in told if colours.startswith(b"nclx")]
    if not numbers and coded.colours is not None:
        numbers = [coded.colours]
    made = profile_of(numbers[0], name) if numbers else None
    profiles = [colours[4:] for colours in told if colours.startswith((b"prof", b"rICC"))]
    return profiles[0] if profiles else made


def _transforms(data: bytes, item: _Item) -> tuple[tuple[int, int, int, int] | None, int]:
    """How a picture is cropped (left, top, right, bottom) and then turned (as an EXIF orientation)."""
    crop, probe = None, np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    turned = probe
    for found in item.properties:
        if found.kind == b"clap":
            if turned is not probe:
                raise BadImage(Reason.UNSUPPORTED, "HEIF or AVIF that is cropped after it is turned: convert it")
            crop = _crop(data, item, found)
        elif found.kind == b"irot":
            turned = np.rot90(turned, read(data, found.start, "B")[0] & 3)
        elif found.kind == b"imir":
            turned = turned[:, ::-1] if read(data, found.start, "B")[0] & 1 else turned[::-1]
    orientation = next(o for o in (1, *TURNS) if np.array_equal(upright(probe, o), turned))
    return crop, orientation


def _crop(data: bytes, item: _Item, clap: Box) -> tuple[int, int, int, int]:
    """The clean aperture (ISO/IEC 14496-12, 12.1.4): width, height and the middle of what is shown, as fractions."""
    size = item.property(b"ispe")
    width, height = read(data, size.start + 4, ">II") if size is not None else (0, 0)
    wide, per_w, high, per_h, right, per_x, down, per_y = read(data, clap.start, ">IIIIiIiI")
    if not all((per_w, per_h, per_x, per_y, width, height)):
        raise BadImage(Reason.CORRUPT, "HEIF or AVIF with a crop that is no number")
    wide, high = wide // per_w, high // per_h
    left, top = round((width - wide) / 2 + right / per_x), round((height - high) / 2 + down / per_y)
    if not (0 <= left <= left + wide <= width and 0 <= top <= top + high <= height):
        raise BadImage(Reason.CORRUPT, "HEIF or AVIF with a crop that is not within the picture")
    return left, top, left + wide, top + high
