"""Who may read what is written on local disks: faces are data of people, so by default nobody else."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path


class Permissions(StrEnum):
    """Modes of new files and folders. Those that are there keep theirs."""

    PRIVATE = "private"
    """0600 and 0700: for the account that runs the job alone."""
    UMASK = "umask"
    """What the process's umask leaves, as of other programs."""


_current = Permissions.PRIVATE


def current() -> Permissions:
    """The permissions that this process gives."""
    return _current


def apply(permissions: Permissions) -> None:
    """Gives these permissions from now on. Other libraries, and processes that this one starts, give none beyond."""
    global _current
    _current = permissions
    if permissions is Permissions.PRIVATE:
        os.umask(os.umask(0o077) | 0o077)


@contextmanager
def applied(permissions: Permissions) -> Iterator[None]:
    """Gives these permissions while the block lasts."""
    before, mask = _current, os.umask(0o077)
    os.umask(mask)
    try:
        apply(permissions)
        yield
    finally:
        apply(before)
        os.umask(mask)


def opener(path: str, flags: int) -> int:
    """Opens a file for ``open(..., opener=opener)``; one that is new gets the permissions."""
    return os.open(path, flags, 0o600 if _current is Permissions.PRIVATE else 0o666)


def make_folders(folder: Path) -> None:
    """Makes a folder, and those above it, where they are not there."""
    if folder.is_dir():
        return
    make_folders(folder.parent)
    folder.mkdir(0o700 if _current is Permissions.PRIVATE else 0o777, exist_ok=True)
