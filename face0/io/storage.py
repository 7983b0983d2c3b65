"""Files by URI, one way everywhere: fsspec, with a write that shows a file whole or not at all.

A folder with its files by name is ``face0.io.folder.Folder``.
"""

import hashlib
import io
import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from face0.errors import UsageError

# Files being written lie in this folder of the output, where the file system renames atomically.
PARTIAL_DIR = "_partial"


def filesystem(uri: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system of a URI and the path on it. Raises UsageError for a protocol that is not installed."""
    if uri.startswith("/"):
        # fsspec would take "::" within a path for a chain of file systems, and "://" for the end of a protocol.
        return LocalFileSystem(), os.path.normpath(uri)
    try:
        fs, path = fsspec.core.url_to_fs(uri)
    except (ImportError, ValueError) as error:
        raise UsageError(f"cannot open {uri!r}: {error}") from error
    return fs, os.path.normpath(path) if isinstance(fs, LocalFileSystem) else path


def full_uri(fs: fsspec.AbstractFileSystem, path: str) -> str:
    """The URI of a path: with its protocol, or the bare absolute path for local files."""
    return path if isinstance(fs, LocalFileSystem) else fs.unstrip_protocol(path)


def absolute(uri: str) -> str:
    """The URI as any process finds it, whatever folder it runs in."""
    return full_uri(*filesystem(uri))


def join(uri: str, *parts: str) -> str:
    """A URI below a folder's.

    >>> join("s3://bucket/out/", "stats", "task-0.json")
    's3://bucket/out/stats/task-0.json'
    """
    return "/".join([uri.rstrip("/"), *parts])


def expand(pattern: str) -> list[tuple[str, int]]:
    """The files that a URI or a glob names, sorted, as (URI, bytes).

    Raises:
        UsageError: nothing matches.
    """
    fs, path = filesystem(pattern)
    magic = any(character in path for character in "*?[")
    # A file whose own name holds a glob character is named by its plain path.
    if not magic or fs.exists(path):
        infos = {path: fs.info(path)} if fs.exists(path) else {}
    else:
        infos = fs.glob(path, detail=True)
    if not infos:
        raise UsageError(f"no file matches {pattern!r}: check the path, and quote a pattern so that the shell keeps it")
    return sorted((full_uri(fs, file), int(info.get("size") or 0)) for file, info in infos.items())


def open_uri(uri: str, mode: str = "rb", **options: Any) -> IO[Any]:
    """Opens a file of any file system, for reading unless the mode says other."""
    fs, path = filesystem(uri)
    return fs.open(path, mode, **options)


class HashingWriter(io.RawIOBase):
    """Writes through to a binary file, and knows the size and the SHA-256 of what went through."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0
        # Nothing will come of the file; what a library still writes as it is torn down is dropped.
        self.abandoned = False

    def writable(self) -> bool:
        """Returns True: libraries ask before they write."""
        return True

    def tell(self) -> int:
        """The position, which is the size."""
        return self.size

    def write(self, data: Any) -> int:
        """Writes all of a bytes-like object."""
        view = memoryview(data).cast("B")
        self._hash.update(view)
        if not self.abandoned:
            self._file.write(view)
        self.size += view.nbytes
        return view.nbytes

    @property
    def sha256(self) -> str:
        """The digest of what was written so far."""
        return self._hash.hexdigest()


@contextmanager
def write_whole(root: str, name: str, launch: str = "") -> Iterator[HashingWriter]:
    """Writes the file ``root/name`` so that a reader sees all of it or none.

    On a local disk the file is written under another name, below ``root``, and renamed. ``launch`` names a folder for
    such files of one launch of a job, which takes away what it has left (``drop_partial``); others leave nothing.
    Elsewhere it is written to a temporary file, and uploaded at the end of the block: object stores show an upload only
    once it is complete, and a writer that is killed before leaves no half of one, which shows in no listing and is paid
    for.
    """
    fs, path = filesystem(join(root, name))
    if not isinstance(fs, LocalFileSystem):
        with tempfile.NamedTemporaryFile() as upload:
            with _hashed(upload) as writer:
                yield writer
            upload.flush()
            fs.put_file(upload.name, path)
        return
    partial = Path(filesystem(root)[1], PARTIAL_DIR, launch, f"{uuid.uuid4().hex}-{Path(path).name}")
    for folder in (partial.parent, Path(path).parent):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with partial.open("wb") as file:
            with _hashed(file) as writer:
                yield writer
            file.flush()
            os.fsync(file.fileno())  # or a machine that loses its power could keep the stats and lose the data
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
        if not launch:
            with suppress(OSError):  # others are writing too
                partial.parent.rmdir()


@contextmanager
def _hashed(file: Any) -> Iterator[HashingWriter]:
    writer = HashingWriter(file)
    try:
        yield writer
    except BaseException:
        writer.abandoned = True
        raise


def drop_partial(root: str) -> None:
    """Removes what writers that were killed left behind."""
    fs, path = filesystem(join(root, PARTIAL_DIR))
    if fs.exists(path):
        fs.rm(path, recursive=True)
