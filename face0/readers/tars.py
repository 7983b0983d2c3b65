"""Tars as streams, in which nothing that a header claims sets the time or the memory.

tarfile trusts sizes: it skips a member by asking for so many bytes, from a file that may have ended long before.
"""

import bz2
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import zstandard

from face0.readers.bounds import Unpacked

# tarfile copies what is left of this buffer at every header, and goes to the file for every one of it.
_BUFFER_BYTES = 64 * 2**10

_MAX_HEADER_BYTES = 256 * 2**10  # of a long name, or of the attributes of a member
_MAX_HEADERS = 8  # of one member: attributes, name and target of a link make four
_MAX_GLOBAL_ATTRIBUTES = 1000  # each member gets a copy of them
_TIMES_AT_END = 8  # tarfile looks for the end thrice; it asks on as long as a member claims to go on
_XZ_BYTES = 128 * 2**20  # of memory: xz -9 takes 65 MiB
_ZSTD_WINDOW_BYTES = 128 * 2**20  # as zstd itself has it, unless it is told --long
_LONG_HEADERS = frozenset(
    (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
)


@contextmanager
def open_tar(file: IO[bytes]) -> Iterator["Tar"]:
    """A tar from a stream of it, plain or packed by gzip, bzip2, xz or Zstandard. Raises as ``members`` does."""
    source: Any = _Source(file)
    with Tar.open(fileobj=source, mode="r|", bufsize=_BUFFER_BYTES, tarinfo=_Header) as tar:
        assert isinstance(tar, Tar), "open makes one of its class"
        yield tar


class Tar(tarfile.TarFile):
    """A tar that is read from its beginning to its end."""

    headers = 0  # that the member at hand has

    def members_in_order(self) -> Iterator[tarfile.TarInfo]:
        """The members, each before its content.

        Raises:
            tarfile.ReadError: it is no tar, breaks off, or is made to take more than it has; behind it is more than
                zeros.
            OSError: the file cannot be read.
        """
        while (member := self._next()) is not None:
            # tarfile keeps every header it has seen, and nothing here goes back.
            self.members.clear()  # type: ignore[attr-defined]
            if member.size < 0 or len(self.pax_headers) > _MAX_GLOBAL_ATTRIBUTES:
                raise tarfile.ReadError("corrupt header: its sizes cannot be")
            yield member
        self._check_end()

    def _next(self) -> tarfile.TarInfo | None:
        self.headers = 0
        try:
            return self.next()
        except (OSError, MemoryError, tarfile.ReadError):
            raise
        # ValueError, TypeError, RecursionError, ...: what corrupt headers end in
        except Exception as error:
            raise tarfile.ReadError(f"corrupt header ({type(error).__name__})") from error

    def _check_end(self) -> None:
        """Raises ReadError if anything but zeros follows the end marker: a second tar, or a hole in this one."""
        stream = self.fileobj
        assert stream is not None, "the tar is open"
        while block := stream.read(_BUFFER_BYTES):
            if block.count(0) != len(block):
                raise tarfile.ReadError("there is data behind the end-of-archive marker")


class _Header(tarfile.TarInfo):
    """Tells the end of an archive from its breaking off, which tarfile takes for the same, and bounds what is read."""

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> "_Header":
        assert isinstance(tar, Tar), "it was opened here"
        tar.headers += 1
        if tar.headers > _MAX_HEADERS:
            raise tarfile.ReadError(f"corrupt header: more than {_MAX_HEADERS} of one member")
        try:
            return super().fromtarfile(tar)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.EmptyHeaderError:  # type: ignore[attr-defined]
            raise tarfile.ReadError("the file stops without an end-of-archive marker") from None
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"corrupt header: {error}") from error

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Header":
        header = super().frombuf(buf, encoding, errors)
        if header.size < 0:
            raise tarfile.ReadError("corrupt header: a negative size")
        if header.type in _LONG_HEADERS and header.size > _MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"corrupt header: a name or attributes of {header.size:,} bytes")
        return header

    # Lists of holes are as long as they say, and a hole becomes zeros in memory.

    def _refuse_holes(self, *_: Any) -> Any:
        raise tarfile.ReadError("a member with holes is not read: pack it again without --sparse")

    _proc_sparse = _proc_gnusparse_00 = _proc_gnusparse_01 = _proc_gnusparse_10 = _refuse_holes


class _Source:
    """The unpacked bytes of a file, as tarfile asks for them."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._count = Unpacked()
        self._head = self._file.read(16)
        self._make = next((make for magic, make in _DECOMPRESSORS if self._head.startswith(magic)), None)
        self._decompressor = self._make() if self._make else None
        # It unpacks without a bound but where it reads itself.
        self._zstandard = _zstandard(self) if any(self._head.startswith(magic) for magic in _ZSTD) else None
        self._asked_at_end = 0

    def read(self, size: int) -> bytes:
        """So many bytes, fewer or none at the end. Raises ReadError if that is asked for again and again."""
        if self._asked_at_end > _TIMES_AT_END:
            raise tarfile.ReadError("the file ends within a member")
        is_plain = self._decompressor is None and self._zstandard is None
        data = self.packed(size) if is_plain else self._unpacked(size)
        self._asked_at_end += not data
        return data

    def packed(self, size: int) -> bytes:
        """So many bytes of the file as it is, fewer or none at the end."""
        head, self._head = self._head[:size], self._head[size:]
        data = head + self._file.read(size - len(head)) if len(head) < size else head
        self._count.packed += len(data)
        return data

    def _unpacked(self, size: int) -> bytes:
        chunks: list[bytes] = []
        while size > 0:
            chunk = self._piece(size)
            if chunk is None:
                break
            self._count.unpacked += len(chunk)
            if self._count.is_bomb:
                raise tarfile.ReadError(str(self._count))
            chunks.append(chunk)
            size -= len(chunk)
        return b"".join(chunks)

    def _piece(self, size: int) -> bytes | None:
        """Some unpacked bytes, maybe none yet; None at the end."""
        if self._zstandard is not None:
            try:
                return self._zstandard.read(min(size, _BUFFER_BYTES)) or None
            except zstandard.ZstdError as error:
                raise tarfile.ReadError(f"the packed file is corrupt: {error}") from error
        assert self._decompressor is not None, "the file is packed"
        if self._decompressor.eof:
            rest = self._decompressor.unused_data or self.packed(_BUFFER_BYTES)
            while rest and not (rest := rest.lstrip(b"\0")):  # some writers fill up their last block
                rest = self.packed(_BUFFER_BYTES)
            if not rest:
                return None
            assert self._make is not None, "the file is packed"
            self._decompressor = self._make()  # packed in several pieces
            return self._decompress(rest, size)
        if not self._decompressor.needs_input:
            return self._decompress(b"", size)
        data = self.packed(_BUFFER_BYTES)
        if not data:
            raise tarfile.ReadError("the packed file is cut short")
        return self._decompress(data, size)

    def _decompress(self, data: bytes, size: int) -> bytes:
        assert self._decompressor is not None, "the file is packed"
        try:
            return self._decompressor.decompress(data, size)
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:  # none is the machine's
            raise tarfile.ReadError(f"the packed file is corrupt: {error}") from error


def _zstandard(source: _Source) -> Any:
    """The unpacked stream of a source's packed bytes."""

    class Packed:
        def read(self, size: int) -> bytes:
            return source.packed(size)

    unpacker = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
    stream: Any = Packed()
    return unpacker.stream_reader(stream, read_size=_BUFFER_BYTES, read_across_frames=True)


class _Gzip:
    """zlib's decompressor with the interface of the others."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)


# Of a frame, and of one that is skipped, with which some writers begin.
_ZSTD = (b"\x28\xb5\x2f\xfd", *(bytes([0x50 + number]) + b"\x2a\x4d\x18" for number in range(16)))
_DECOMPRESSORS: tuple[tuple[bytes, Any], ...] = (
    (b"\x1f\x8b", _Gzip),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\0", lambda: lzma.LZMADecompressor(memlimit=_XZ_BYTES)),
    (b"\x5d\0\0\x80", lambda: lzma.LZMADecompressor(memlimit=_XZ_BYTES)),
)
