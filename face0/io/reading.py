"""Reading a file of any file system to its end, whatever passes in between."""

import io
from contextlib import suppress
from typing import Any

import fsspec
from fsspec.implementations.http import HTTPFileSystem

from face0.errors import StorageError
from face0.io.retries import retried

_SKIP_BYTES = 2**20


class ResumingFile(io.RawIOBase):
    """A file that is opened anew after an error, and read on from where it stood.

    ``read`` gives what was asked for, less only at the end; and the end is where the file system says, not where
    a connection broke off.

    Args:
        fs: the file system.
        path: on it.
        uri: for messages.

    Raises:
        StorageError: see ``face0.io.retries``; later also that the file has another size than when it was opened.
    """

    def __init__(self, fs: fsspec.AbstractFileSystem, path: str, uri: str) -> None:
        self._fs, self._path, self._uri = fs, path, uri
        self._position = 0
        self._options: dict[str, Any] = {}  # of opening
        self._size: int | None = None
        self._file: Any = retried(f"opening {uri}", self._opened)
        self._size = _size(self._file)

    def readable(self) -> bool:
        """Returns True."""
        return True

    def seekable(self) -> bool:
        """Returns True. A stream that cannot go back is opened anew, and read up to where it shall be."""
        return True

    def tell(self) -> int:
        """The position, in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Goes to a position, as files do. The file system hears of it at the next read."""
        if whence == io.SEEK_CUR:
            offset += self._position
        elif whence == io.SEEK_END:
            offset += self._size if self._size is not None else self._attempt("measuring", _end)
        if offset < 0:
            raise ValueError(f"a negative position: {offset}")
        self._position = offset
        return offset

    def read(self, size: int | None = -1) -> bytes:
        """The next ``size`` bytes, or all to the end; fewer only where the file ends."""
        if size is None or size < 0:
            return self.readall()
        parts = [self._part(size)]
        missing = size - len(parts[0])
        while missing and parts[-1]:
            parts.append(self._part(missing))
            missing -= len(parts[-1])
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def readall(self) -> bytes:
        """All bytes to the end."""
        parts = []
        while part := self._part(None):
            parts.append(part)
        return b"".join(parts)

    def readinto(self, buffer: Any) -> int:
        """Fills a buffer; returns how many bytes of it."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Closes the file. An error of that is of no concern to a reader."""
        if not self.closed:
            self._drop()
        super().close()

    def _part(self, size: int | None) -> bytes:
        """Some bytes; none only at the end."""
        if size == 0:
            return b""
        data = self._attempt("reading", lambda file: self._read(file, size))
        self._position += len(data)
        return data

    def _read(self, file: Any, size: int | None) -> bytes:
        data = bytes(file.read() if size is None else file.read(size))
        if not data and self._size is not None and self._position < self._size:
            raise OSError(f"it broke off at byte {self._position:,} of {self._size:,}")
        return data

    def _attempt(self, what: str, operation: Any) -> Any:
        def attempt() -> Any:
            try:
                return operation(self._at_position())
            except Exception as error:
                self._drop()
                # A server that sends no ranges, which fsspec learns as it asks for the second.
                if isinstance(self._fs, HTTPFileSystem) and isinstance(error, ValueError) and not self._options:
                    self._options = {"block_size": 0}
                    raise ConnectionError(str(error)) from error
                raise

        return retried(f"{what} {self._uri}", attempt)

    def _at_position(self) -> Any:
        file = self._working()
        if file.tell() == self._position:
            return file
        try:
            file.seek(self._position)
        except ValueError:  # a stream
            if self._position < file.tell():
                self._drop()
                file = self._working()
            while (missing := self._position - file.tell()) > 0 and file.read(min(missing, _SKIP_BYTES)):
                pass
        return file

    def _working(self) -> Any:
        if self._file is None:
            self._file = self._opened()
        return self._file

    def _opened(self) -> Any:
        file = self._fs.open(self._path, "rb", **self._options)
        size = _size(file)
        if None not in (size, self._size) and size != self._size:
            file.close()
            raise StorageError(f"{self._uri} has changed while it was read: it had {self._size} bytes, now {size}")
        return file

    def _drop(self) -> None:
        file, self._file = self._file, None
        with suppress(Exception):
            file.close()


def _size(file: Any) -> int | None:
    size = getattr(file, "size", None)
    return size if isinstance(size, int) else None


def _end(file: Any) -> int:
    return int(file.seek(0, io.SEEK_END))
