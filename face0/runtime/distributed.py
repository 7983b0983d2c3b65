"""The processes of a computation that spreads over GPUs, as torchrun starts them."""

import os
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed

from face0.runtime.devices import pick_device

_PATIENCE = timedelta(hours=1)  # that processes wait for each other


@dataclass(frozen=True, kw_only=True)
class Process:
    """One of the processes that compute together.

    Attributes:
        rank: its number, 0 or more and less than ``world``.
        world: how many there are.
        device: that it computes on.
    """

    rank: int
    world: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether it is the one that speaks and writes."""
        return self.rank == 0

    def leave(self) -> None:
        """Ends the process's part in the group, if there is one."""
        if self.world > 1:
            distributed.destroy_process_group()


def join_processes(device: str) -> Process:
    """This process's place among those that torchrun started (RANK, WORLD_SIZE, LOCAL_RANK); the only one without it.

    Args:
        device: a torch device, or ``auto``. Of ``cuda`` each process takes the GPU of its local rank.

    Raises:
        UsageError: see ``face0.runtime.devices.pick_device``.
    """
    name = pick_device(device)
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if name == "cuda":
        name = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"
        torch.cuda.set_device(name)
    if world > 1:
        # gloo for small flags on the CPU, nccl for gradients on GPUs
        distributed.init_process_group("cpu:gloo,cuda:nccl" if "cuda" in name else "gloo", timeout=_PATIENCE)
    return Process(rank=rank, world=world, device=torch.device(name))
