"""How fast a training goes."""

import time
from collections.abc import Iterator, Mapping

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from face0.errors import StorageError, TrainingError, UsageError
from face0.shards.decoding import Batch
from face0.training.trainer import Trainer


class Throughput:
    """Samples a second, the share of time spent waiting for data, and the share of the machine's multiplications."""

    def __init__(self, trainer: Trainer, world: int) -> None:
        self._trainer, self._world = trainer, world
        # Backwards takes as much again for the activations, and as much for the weights that are trained.
        self._flops = (2 if trainer.config.lora else 3) * unet_flops(trainer)
        self._rate = matmul_rate(
            trainer.device, torch.bfloat16 if trainer.config.precision == "bf16" else torch.float32
        )
        self.reset()

    def reset(self) -> None:
        """Counts from now on."""
        self._samples, self._waiting, self._started = 0, 0.0, time.perf_counter()

    def waited(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """Yields the batches, counted and the wait for them timed.

        Raises:
            TrainingError: a file went bad since the start.
        """
        while True:
            started = time.perf_counter()
            try:
                batch = next(batches)
            except (UsageError, StorageError) as error:  # a file that went bad since the start, or its storage
                raise TrainingError(str(error)) from error
            self._waiting += time.perf_counter() - started
            self._samples += len(batch.keys) * self._world
            yield batch

    def figures(self) -> Mapping[str, float]:
        """The figures since the last call, by name: samples a second over all processes, and two shares of 0..1."""
        seconds = time.perf_counter() - self._started
        pace = self._samples / seconds
        used = pace / self._world * self._flops / self._rate
        figures = {"samples_per_second": pace, "data_wait": self._waiting / seconds, "mfu": used}
        self.reset()
        return figures


@torch.no_grad()
def unet_flops(trainer: Trainer) -> float:
    """Floating-point operations of the U-Net for one sample, forwards."""
    unet, config = trainer.pipe.unet, trainer.config
    side = config.resolution // trainer.pipe.shrink
    latents = torch.zeros(1, unet.config.in_channels, side, side, device=trainer.device)
    context = torch.zeros(1, 77, unet.config.cross_attention_dim, device=trainer.device)
    # Of fused attention on a CPU the counter knows nothing
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        unet(latents, 0, encoder_hidden_states=context)
    return float(counter.get_total_flops())


def matmul_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Floating-point operations a second that this device reaches in a large product, measured."""
    side = 8192 if device.type == "cuda" else 1024
    matrix = torch.rand(side, side, device=device, dtype=dtype)
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        matrix @ matrix
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return 2 * side**3 / best
