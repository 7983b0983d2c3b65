"""What there is on a file system, with nothing passed over because a listing failed.

fsspec itself takes any error for "there is no such file", and leaves out folders that it cannot list.
"""

import errno
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.asyn import AsyncFileSystem
from fsspec.core import has_magic
from fsspec.implementations.http import HTTPFileSystem
from fsspec.utils import glob_translate

from face0.io.retries import retried

Infos = dict[str, dict[str, Any]]  # what fsspec says of files, by path

# What a store calls the content of a file: a digest, or a number that each write raises.
_OF_CONTENT = ("ETag", "etag", "generation", "Content-MD5", "Digest", "md5Hash", "content_md5", "checksum")
_OF_TIME = ("mtime", "LastModified", "last_modified", "Last-Modified", "updated", "modified", "created")


def info(fs: AbstractFileSystem, path: str) -> dict[str, Any] | None:
    """What fsspec says of a file or folder; None: there is none."""

    def attempt() -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = fs.info(path)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                return None
            raise
        except ValueError:  # no name at all, for it holds a zero byte
            return None
        return found

    try:
        return retried(f"looking at {path}", attempt)
    except (FileNotFoundError, NotADirectoryError):
        return None


def kind(fs: AbstractFileSystem, path: str) -> str | None:
    """The type of what is at a path: "file", "directory" or another; None: nothing is."""
    there = info(fs, path)
    return None if there is None else str(there["type"])


def version(info: Mapping[str, Any] | None) -> str:
    """What tells a file from the one that was there before, in the words of its file system.

    An ETag, a generation or a digest; where there is none, the time of the last change. Empty: it has neither.
    """
    for name in (*_OF_CONTENT, *_OF_TIME):
        if info and info.get(name):
            return f"{name.lower()} {_plain(info[name])}"
    return ""


def _plain(value: Any) -> str:
    """A value as text that is the same for a listing and for a look, which give times in different ways."""
    if isinstance(value, datetime):
        value = value.timestamp()
    return f"{value:.6f}" if isinstance(value, float) else str(value).strip('"')


def entries(fs: AbstractFileSystem, path: str) -> list[dict[str, Any]]:
    """What is directly in a folder. Raises FileNotFoundError."""
    listed: list[dict[str, Any]] = retried(f"listing {path}", lambda: fs.ls(path, detail=True))
    for link in (entry for entry in listed if entry.get("islink")):
        # Listed are its own times, and a look follows it.
        link |= {name: value for name, value in (info(fs, link["name"]) or {}).items() if name in _OF_TIME}
    return listed


def find(fs: AbstractFileSystem, path: str) -> Infos:
    """All files below a folder; none if it is not there."""
    if not _walks(fs):
        found: Infos = retried(f"listing {path}", lambda: fs.find(path, detail=True))
        return found
    return {name: info for name, info in _walk(fs, path) if info["type"] != "directory"}


def glob(fs: AbstractFileSystem, pattern: str) -> Infos:
    """The files and folders whose paths match a pattern of fsspec's."""
    if isinstance(fs, HTTPFileSystem):  # a question mark is none of a pattern there
        found: Infos = retried(f"listing {pattern}", lambda: fs.glob(pattern, detail=True))
        return found
    parts = pattern.split("/")
    first = next(i for i, part in enumerate(parts) if has_magic(part))
    root = "/".join(parts[:first]) or "/"
    if "**" in pattern and not _walks(fs):
        below = retried(f"listing {root}", lambda: fs.find(root, detail=True, withdirs=True)).items()
    else:
        below = _walk(fs, root, None if "**" in pattern else len(parts) - first)
    matches = re.compile(glob_translate(pattern)).match
    return {path: info for path, info in below if matches(path)}


def _walks(fs: AbstractFileSystem) -> bool:
    """Whether fsspec would go from folder to folder, in which it leaves out what fails."""
    if isinstance(fs, AsyncFileSystem):
        return type(fs)._find is AsyncFileSystem._find
    return type(fs).find is AbstractFileSystem.find


def _walk(fs: AbstractFileSystem, path: str, depth: int | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
    """All that is below a folder, so many levels deep, as (path, info)."""
    try:
        listed = entries(fs, path)
    except (FileNotFoundError, NotADirectoryError):  # or gone since it was listed itself
        return
    for info in listed:
        name = info["name"].rstrip("/")
        yield name, info
        if info["type"] == "directory" and name != path.rstrip("/") and depth != 1:
            yield from _walk(fs, name, depth and depth - 1)
