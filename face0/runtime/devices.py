"""Which device a process computes on: a GPU if there is one, and one for each worker process if there are several."""

import os
import tempfile
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from face0.errors import UsageError

_claims: list[FileLock] = []  # held as long as the process lives


def pick_device(name: str) -> str:
    """The torch device for ``auto`` (``cuda`` if there is a GPU, else ``cpu``), or the one that was named.

    Raises:
        UsageError: a GPU is named, and torch finds none here.
    """
    there = torch.cuda.is_available()
    if name.startswith("cuda") and not there:
        raise UsageError(f"--device {name}: torch finds no GPU here; give --device auto or cpu")
    return ("cuda" if there else "cpu") if name == "auto" else name


def claim_device(name: str) -> str:
    """The device that this process is to use, with its number where there are several.

    Args:
        name: a torch device, or ``auto``. Of ``cuda``, without a number, a GPU is taken that no other worker of this
            user has, as long as there is one; more workers than GPUs share them evenly.

    Raises:
        UsageError: see ``pick_device``.
    """
    name = pick_device(name)
    count = torch.cuda.device_count() if name == "cuda" else 0
    return name if count < 2 else f"cuda:{claim_number(count, Path(tempfile.gettempdir()))}"


def claim_number(count: int, folder: Path) -> int:
    """The lowest number under ``count`` that the fewest living processes have claimed through locks in a folder."""
    for share in range(os.cpu_count() or 1):
        for number in range(count):
            # Not of one thread: the claim outlives the one that made it.
            lock = FileLock(folder / f"face0-{os.getuid()}-device-{number}-{share}", blocking=False, thread_local=False)
            try:
                lock.acquire()
            except Timeout:
                continue
            _claims.append(lock)
            return number
    return os.getpid() % count
