"""Files by URI, one way everywhere: fsspec, with a write that shows a file whole or not at all.

A folder with its files by name is ``face0.io.folder.Folder``.
"""

import hashlib
import io
import os
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

import fsspec
from fsspec.implementations.local import LocalFileSystem

from face0.errors import StorageError, UsageError
from face0.io import listing
from face0.io.braces import expand_braces
from face0.io.permissions import make_folders, opener
from face0.io.reading import ResumingFile
from face0.io.retries import ANSWERS, retried
from face0.io.uploading import abort_uploads, upload

# What the storage of a file says, as against what a format's library says of its bytes (though by an OSError, too).
STORAGE_ERRORS = (StorageError, *ANSWERS)

_LOOKS = 16  # at a time

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


def spelt_alike(uris: Iterable[str]) -> list[str]:
    """URIs and patterns as they are compared: local ones absolute, sorted, each once."""
    return sorted({absolute(uri) if _is_local(uri) else uri.rstrip("/") for uri in uris})


def _is_local(uri: str) -> bool:
    return "://" not in uri or uri.lower().startswith(("file://", "local://"))


def is_below(uri: str, folder: str) -> bool:
    """Whether a file or folder is another folder, or lies in it, however both are spelt and whatever links lead there.

    Neither need be there.
    """
    (fs, path), (folder_fs, folder_path) = filesystem(uri), filesystem(folder)
    if isinstance(fs, LocalFileSystem) and isinstance(folder_fs, LocalFileSystem):
        path, folder_path = os.path.realpath(path), os.path.realpath(folder_path)
    elif full_uri(fs, "x") != full_uri(folder_fs, "x"):
        return False
    return f"{path.rstrip('/')}/".startswith(f"{folder_path.rstrip('/')}/")


def join(uri: str, *parts: str) -> str:
    """A URI below a folder's.

    >>> join("s3://bucket/out/", "stats", "task-0.json")
    's3://bucket/out/stats/task-0.json'
    """
    return "/".join([uri.rstrip("/"), *parts])


class Listed(NamedTuple):
    """A file as its file system lists it.

    Attributes:
        uri: of the file.
        size: bytes; 0 where it does not say.
        version: changes when the file does; empty where it does not say. See ``face0.io.listing.version``.
    """

    uri: str
    size: int
    version: str


def expand(pattern: str) -> list[Listed]:
    """The files and folders that a URI, a glob or a pattern with braces names, sorted.

    Raises:
        UsageError: nothing matches; or not every name that the braces stand for.
    """
    listed = _matches(pattern)
    if not listed and "{" in pattern:
        names = expand_braces(pattern)
        if names != [pattern]:
            with ThreadPoolExecutor(_LOOKS) as pool:
                of_names = list(pool.map(_matches, names))
            if missing := [name for name, of_name in zip(names, of_names, strict=True) if not of_name]:
                raise UsageError(
                    f"no file matches {missing[0]!r}: {len(missing):,} of the {len(names):,} names that the braces of "
                    f"{pattern!r} stand for are not there"
                )
            listed = [file for of_name in of_names for file in of_name]
    if not listed:
        raise UsageError(f"no file matches {pattern!r}: check the path, and quote a pattern so that the shell keeps it")
    return sorted(set(listed))


def _matches(pattern: str) -> list[Listed]:
    """The files and folders that a URI or a glob names; none if nothing matches."""
    fs, path = filesystem(pattern)
    there = listing.info(fs, path)
    # A file whose own name holds a glob character is named by its plain path.
    infos = {path: there} if there is not None else {}
    if there is None and any(character in path for character in "*?["):
        infos = listing.glob(fs, path)
    return [
        Listed(full_uri(fs, file), int(info.get("size") or 0), listing.version(info)) for file, info in infos.items()
    ]


def look(uri: str) -> Listed | None:
    """A file as its file system has it now; None: it is gone."""
    fs, path = filesystem(uri)
    fs.invalidate_cache(path)
    info = listing.info(fs, path)
    return None if info is None else Listed(uri, int(info.get("size") or 0), listing.version(info))


def sha256(uri: str) -> str:
    """The digest of a file's bytes, in hexadecimal. Raises as ``open_uri`` does."""
    digest = hashlib.sha256()
    with open_uri(uri) as file:
        while part := file.read(2**20):
            digest.update(part)
    return digest.hexdigest()


def is_folder(uri: str) -> bool:
    """Whether there is a folder at a URI."""
    return listing.kind(*filesystem(uri)) == "directory"


def open_uri(uri: str) -> IO[bytes]:
    """Opens a file of any file system for reading. See ``face0.io.reading.ResumingFile``.

    Raises:
        OSError: there is no such file, or none that may be read.
        StorageError: of storage that fails; here, and as it is read.
    """
    fs, path = filesystem(uri)
    return ResumingFile(fs, path, uri)  # type: ignore[return-value]


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
            taken = self._file.write(view)
            if taken is not None and taken != view.nbytes:
                raise StorageError(f"only {taken:,} of {view.nbytes:,} bytes were taken at byte {self.size:,}")
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
    uri = join(root, name)
    fs, path = filesystem(uri)
    if not isinstance(fs, LocalFileSystem):
        with tempfile.NamedTemporaryFile() as copy:
            with _hashed(copy) as writer:
                yield writer
            copy.flush()
            upload(fs, copy.name, path, uri, writer.size)
        return
    partial = Path(filesystem(root)[1], PARTIAL_DIR, launch, f"{uuid.uuid4().hex}-{Path(path).name}")
    retried(f"making {Path(path).parent}", lambda: make_folders(Path(path).parent))
    try:
        with retried(f"writing {uri}", lambda: _created(partial)) as file:
            with _hashed(file) as writer:
                yield writer
            file.flush()
            # Not twice: after an error of this the system may have forgotten what it did not write.
            os.fsync(file.fileno())  # or a machine that loses its power could keep the stats and lose the data
            if (there := os.fstat(file.fileno()).st_size) != writer.size:
                raise StorageError(f"writing {uri} failed: {there:,} of {writer.size:,} bytes are there")
        retried(f"writing {uri}", lambda: partial.replace(path))
    finally:
        partial.unlink(missing_ok=True)
        if not launch:
            with suppress(OSError):  # others are writing too
                partial.parent.rmdir()


def _created(partial: Path) -> IO[bytes]:
    make_folders(partial.parent)
    try:
        return open(partial, "xb", opener=opener)
    except FileNotFoundError as error:
        raise ConnectionAbortedError("another writer has just removed the folder") from error


@contextmanager
def _hashed(file: Any) -> Iterator[HashingWriter]:
    writer = HashingWriter(file)
    try:
        yield writer
    except BaseException:
        writer.abandoned = True
        raise


def remove(fs: fsspec.AbstractFileSystem, path: str, *, folder: bool = False) -> None:
    """Removes a file, or a folder with all that it holds, if it is there."""

    def attempt() -> None:
        try:
            if folder:
                fs.rm(path, recursive=True)
            else:
                fs.rm_file(path)
        except FileNotFoundError:  # of a folder's file, that somebody else removed
            fs.invalidate_cache(path)
            if listing.kind(fs, path) is not None:
                raise ConnectionError(f"{path} is being removed by another, too") from None

    if listing.kind(fs, path) is not None:
        retried(f"removing {path}", attempt)


def drop_partial(root: str) -> None:
    """Removes what writers that were killed left behind, parts of uploads among it. Only while nobody writes there."""
    fs, path = filesystem(join(root, PARTIAL_DIR))
    remove(fs, path, folder=True)
    abort_uploads(fs, path.removesuffix(PARTIAL_DIR))
