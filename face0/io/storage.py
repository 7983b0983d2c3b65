"""Files by URI, one way everywhere: fsspec, with a write that shows a file whole or not at all."""

import hashlib
import io
import os
import tempfile
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

import fsspec
from fsspec.implementations.local import LocalFileSystem
from fsspec.spec import AbstractBufferedFile

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
    magic = any(c in path for c in "*?[")
    # A file whose own name holds a glob character is named by its plain path.
    if not magic or fs.exists(path):
        found = {path: fs.info(path)} if fs.exists(path) else {}
    else:
        found = fs.glob(path, detail=True)
    if not found:
        raise UsageError(f"no file matches {pattern!r}: check the path, and quote a pattern so that the shell keeps it")
    return sorted((full_uri(fs, p), int(info.get("size") or 0)) for p, info in found.items())


def open_uri(uri: str, mode: str = "rb", **options: Any) -> IO[Any]:
    """Opens a file of any file system for reading."""
    fs, path = filesystem(uri)
    return fs.open(path, mode, **options)


@contextmanager
def local_folder(uri: str, without: Collection[str] = ()) -> Iterator[Path]:
    """A folder as a local one, not to be written to: itself, or a temporary copy without some of its folders.

    Raises:
        UsageError: there is none.
    """
    fs, path = filesystem(uri)
    if not fs.isdir(path):
        raise UsageError(f"{uri} is no folder")
    if isinstance(fs, LocalFileSystem):
        yield Path(path)
        return
    with tempfile.TemporaryDirectory() as folder:
        for found in fs.find(path):
            part = PurePosixPath(found).relative_to(path)
            if part.parts[0] not in without:
                Path(folder, part).parent.mkdir(parents=True, exist_ok=True)
                fs.get_file(found, str(Path(folder, part)))
        yield Path(folder)


class HashingWriter(io.RawIOBase):
    """Writes through to a binary file, and knows the size and the SHA-256 of what went through."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0
        self.abandoned = (
            False  # nothing will come of the file; what a library still writes as it is torn down is dropped
        )

    def writable(self) -> bool:
        """Always."""
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
def write_whole(root: str, name: str) -> Iterator[HashingWriter]:
    """Writes the file ``root/name`` so that a reader sees all of it or none.

    Local files are written under another name and renamed. Object stores show an upload only once it is complete, so
    there the file is written under its own name, and dropped if the block raises.
    """
    fs, path = filesystem(join(root, name))
    if isinstance(fs, LocalFileSystem):
        partial = join(filesystem(root)[1], PARTIAL_DIR, f"{uuid.uuid4().hex}-{PurePosixPath(name).name}")
        fs.makedirs(fs._parent(partial), exist_ok=True)
        fs.makedirs(fs._parent(path), exist_ok=True)
        file = open(partial, "wb")  # noqa: SIM115 - closed before it is renamed or removed
        writer = HashingWriter(file)
        try:
            yield writer
            file.flush()
            os.fsync(file.fileno())  # or a machine that loses its power could keep the stats and lose the data
            file.close()
            os.replace(partial, path)
        except BaseException:
            writer.abandoned = True
            file.close()
            if os.path.exists(partial):
                os.remove(partial)
            raise
        return
    upload = fs.open(path, "wb")
    writer = HashingWriter(upload)
    try:
        yield writer
    except BaseException:
        writer.abandoned = True
        if isinstance(upload, AbstractBufferedFile):
            # Closing would publish what was written so far.
            upload.closed = True
            upload.discard()
        else:  # it has shown since it was opened
            upload.close()
            fs.rm_file(path)
        raise
    upload.close()


def drop_partial(root: str) -> None:
    """Removes what writers that were killed left behind."""
    fs, path = filesystem(join(root, PARTIAL_DIR))
    if fs.exists(path):
        fs.rm(path, recursive=True)
