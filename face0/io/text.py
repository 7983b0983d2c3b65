"""Bytes as text: which encoding they have, and what of them no UTF-8 column can hold."""

import codecs
import unicodedata

# The longer marks first: the one of UTF-32 begins as that of UTF-16 does.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LOOKED_AT = 4096  # bytes in which the zeros of UTF-16 and UTF-32 are counted


class BadEncoding(ValueError):
    """Bytes that are text in no encoding that can be told."""

    def __init__(self) -> None:
        super().__init__("it is encoded neither in UTF-8 nor, as far as can be told, in UTF-16 or UTF-32")


def decode_text(data: bytes, encoding: str | None = None) -> str:
    """The text that bytes hold: by their byte order mark, as UTF-16 or UTF-32 without one, or as UTF-8.

    Args:
        data: the bytes, all of them.
        encoding: of what is none of these; None: it is not known, and nothing is guessed: eight-bit encodings cannot be
            told from each other.

    Raises:
        BadEncoding: they are in another encoding.
    """
    wide = wide_encoding(data)
    names = [wide[0]] if wide else []
    if wide is None or not wide[1]:
        names += ["utf-8-sig", *([encoding] if encoding else [])]
    for name in names:
        try:
            return data[len(wide[1]) if wide else 0 :].decode(name)
        except UnicodeDecodeError:
            continue
    raise BadEncoding


def wide_encoding(data: bytes) -> tuple[str, bytes] | None:
    """The encoding of UTF-16 or UTF-32 by the beginning of a text, and its byte order mark; None for all others.

    Without a mark it is told by zeros, of which text in the Latin alphabet has one or three in each character.
    """
    for mark, name in _MARKS:
        if data.startswith(mark):
            return (name, mark) if name != "utf-8" else None
    sample = data[: min(len(data), _LOOKED_AT) // 4 * 4] or data[:2]
    if 0 not in sample or len(data) % 2:
        return None
    zeros = [sample[place::4].count(0) for place in range(4)]
    count = len(sample) // 4
    if count and zeros[3] == count and 4 * zeros[2] >= 3 * count:
        return "utf-32-le", b""
    if count and zeros[0] == count and 4 * zeros[1] >= 3 * count:
        return "utf-32-be", b""
    even, odd = zeros[0] + zeros[2], zeros[1] + zeros[3]
    # Zeros that pad text, or stray in it, are on both sides.
    if max(even, odd) * 2 < len(sample) // 2 or min(even, odd) * 4 > max(even, odd):
        return None
    return ("utf-16-le" if odd > even else "utf-16-be"), b""


def well_formed(text: str) -> str:
    """Replaces halves of surrogate pairs, which JSON and file names can hold and no UTF-8 column can."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def composed(name: str) -> str:
    """A name in the form in which names are compared: composed (NFC). Files of a Mac have theirs decomposed."""
    return unicodedata.normalize("NFC", name)
