"""A folder at a URI, and its files by their names."""

import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import fsspec
from fsspec.asyn import AsyncFileSystem
from fsspec.implementations.http import HTTPFileSystem
from fsspec.implementations.local import LocalFileSystem

from face0.errors import UsageError
from face0.io import listing, storage
from face0.io.permissions import Permissions, current, make_folders
from face0.io.reading import ResumingFile
from face0.io.retries import retried
from face0.io.uploading import upload

_COPY_BYTES = 2**24


class OutsideFolder(UsageError):
    """A name that leads out of the folder that it should be a name in."""


def lies_within(name: str) -> bool:
    """Whether a name, relative to a folder, stays in it; the empty name is the folder's own.

    >>> lies_within("stats/a.json"), lies_within("stats/../../a.json"), lies_within("/etc/hosts")
    (True, False, False)
    """
    return not name or all(part not in ("", ".", "..") and "\0" not in part for part in name.split("/"))


@dataclass(frozen=True)
class Folder:
    """A folder of any file system, which need not be there yet. Cheap to make, and travels to workers.

    Names are paths relative to the folder, with ``/`` between their parts; listings are read anew each time. A name is
    never a pattern, and neither is the folder's own path. One that leads out of the folder is refused by every method,
    with OutsideFolder: names come from files that others may have written. (fsspec's DirFileSystem has patterns only,
    fails at the root of a disk, and starts a thread for local files.)

    Attributes:
        uri: of the folder.
    """

    uri: str

    @classmethod
    def of_file(cls, uri: str) -> "tuple[Folder, str]":
        """The folder that a file lies in, and the file's name there."""
        folder, _, name = storage.absolute(uri).rpartition("/")
        return cls(folder or "/"), name

    @property
    def is_local(self) -> bool:
        """Whether it lies on a local disk."""
        return isinstance(self._fs, LocalFileSystem)

    @property
    def is_folder(self) -> bool:
        """Whether there is such a folder, and not a file."""
        # On the web there are pages, of which one with links passes for a folder.
        web = isinstance(self._fs, HTTPFileSystem)
        return bool(self.entries()) if web else self._kind("") == "directory"

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self._path("").rpartition("/")[2]

    def join(self, name: str) -> str:
        """The URI of a file or folder in it."""
        return storage.join(self.uri, name)

    def folder(self, name: str) -> "Folder":
        """A folder in it."""
        return Folder(self.join(name))

    def exists(self, name: str = "") -> bool:
        """Whether there is a file or folder of this name, or the folder itself."""
        return self._kind(name) is not None

    def is_file(self, name: str = "") -> bool:
        """Whether this name is a file's, or the URI itself."""
        return self._kind(name) == "file"

    def open(self, name: str) -> IO[bytes]:
        """Opens a file for reading. See ``storage.open_uri``."""
        return ResumingFile(self._fs, self._path(name), self.join(name))  # type: ignore[return-value]

    def read(self, name: str) -> bytes:
        """The bytes of a file. Raises FileNotFoundError."""
        if isinstance(self._fs, AsyncFileSystem):  # object stores and the web, of which one request is enough
            data: bytes = retried(f"reading {self.join(name)}", lambda: self._fs.cat_file(self._path(name)))
            return data
        with self.open(name) as file:
            return file.read()

    def info(self, name: str) -> dict[str, Any] | None:
        """What fsspec says of a file now; None: there is none."""
        self._fs.invalidate_cache(self._path(name))
        return listing.info(self._fs, self._path(name))

    def files(self, below: str = "") -> list[str]:
        """The names of all files in the folder, or in one that lies in it, and in the folders therein; sorted."""
        return sorted(self.file_infos(below))

    def file_infos(self, below: str = "") -> dict[str, dict[str, Any]]:
        """What fsspec says of each of the ``files``: its "size", whether its "type" is "file", and more."""
        self._fs.invalidate_cache()
        root = self._path("").rstrip("/") + "/"
        return {path.removeprefix(root): info for path, info in listing.find(self._fs, self._path(below)).items()}

    def entries(self, below: str = "") -> list[str]:
        """The names, in a folder that lies in it, of the files and folders directly there; none if it is not there."""
        self._fs.invalidate_cache()
        path = self._path(below)
        try:
            paths = [info["name"].rstrip("/") for info in listing.entries(self._fs, path)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        # A file is listed as itself, and so is the mark that some stores have for a folder.
        return sorted(name.rpartition("/")[2] for name in paths if name != path.rstrip("/"))

    def write(self, name: str) -> AbstractContextManager[storage.HashingWriter]:
        """Writes a file whole or not at all: see ``storage.write_whole``."""
        return storage.write_whole(self.uri, name)

    def write_text(self, name: str, text: str) -> None:
        """Writes a text file in UTF-8, whole or not at all."""
        with self.write(name) as file:
            file.write(text.encode())

    def remove(self, name: str) -> None:
        """Removes a file, if it is there."""
        storage.remove(self._fs, self._path(name))

    def remove_folder(self, name: str) -> None:
        """Removes a folder in it with all that it holds, if it is there."""
        storage.remove(self._fs, self._path(name), folder=True)

    def drop_partial(self) -> None:
        """Removes what writers that were killed left behind."""
        storage.drop_partial(self.uri)

    def make(self) -> None:
        """Makes an empty folder, where the file system has such. Raises FileExistsError."""
        path = self._path("")
        if self.is_local:
            make_folders(Path(path).parent)
        retried(f"making {self.uri}", lambda: self._fs.makedirs(path))
        if self.is_local and current() is Permissions.PRIVATE:
            Path(path).chmod(0o700)

    def put(self, local: Path, name: str) -> None:
        """Copies all that a local folder holds into one that lies in it, file by file: a reader may see a part."""
        for file in sorted(path for path in local.rglob("*") if path.is_file()):
            place = f"{name}/{file.relative_to(local).as_posix()}"
            if not self.is_local:
                upload(self._fs, str(file), self._path(place), self.join(place), file.stat().st_size)
                continue
            with self.write(place) as out, file.open("rb") as source:
                shutil.copyfileobj(source, out)

    @contextmanager
    def local(
        self, without: Collection[str] = (), through: Callable[[list[str]], Iterable[str]] = iter
    ) -> Iterator[Path]:
        """The folder as a local one, not to be written to: itself, or a temporary copy without some of its folders.

        Args:
            without: folders in it.
            through: what the names of the files that are copied go through, as a bar does.

        Raises:
            UsageError: there is none.
        """
        if not self.is_folder:
            raise UsageError(f"{self.uri} is no folder")
        if self.is_local:
            yield Path(self._path(""))
            return
        with tempfile.TemporaryDirectory() as copy:
            for name in through([name for name in self.files() if name.partition("/")[0] not in without]):
                Path(copy, name).parent.mkdir(parents=True, exist_ok=True)
                with self.open(name) as source, Path(copy, name).open("wb") as out:
                    shutil.copyfileobj(source, out, _COPY_BYTES)
            yield Path(copy)

    @property
    def _fs(self) -> fsspec.AbstractFileSystem:
        return storage.filesystem(self.uri)[0]

    def _kind(self, name: str) -> str | None:
        return listing.kind(self._fs, self._path(name))

    def _path(self, name: str) -> str:
        if not lies_within(name):
            raise OutsideFolder(f"{name!r} is no name of a file in {self.uri}")
        root = storage.filesystem(self.uri)[1].rstrip("/")
        return f"{root}/{name}" if name else root or "/"
