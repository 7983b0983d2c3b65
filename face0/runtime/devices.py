"""One GPU for each worker process of a machine that has several."""

import os
import tempfile
from pathlib import Path

import torch
from filelock import FileLock, Timeout

_claims: list[FileLock] = []  # held as long as the process lives


def claim_device(name: str) -> str:
    """The device that this process is to use.

    Args:
        name: a torch device. Of ``cuda``, without a number, a GPU is taken that no other worker of this user has, as
            long as there is one; more workers than GPUs share them evenly.
    """
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
