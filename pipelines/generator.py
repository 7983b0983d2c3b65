"""Generation: what loads its worker in each process. Without Beam, which a worker process does not need."""

from dataclasses import dataclass

from face0.generation.config import GenerateConfig
from face0.generation.generator import Generator
from face0.runtime.devices import claim_device


@dataclass(frozen=True, kw_only=True)
class LoadGenerator:
    """Loads the worker in each process.

    Attributes:
        config: what decides, beside the requests, what is written.
        device: of torch, or ``auto``; of several GPUs each process claims one.
        batch: images at once, at most.
        threads: of each process.
    """

    config: GenerateConfig
    device: str
    batch: int
    threads: int

    def __call__(self) -> Generator:
        """The worker of this process."""
        return Generator(self.config, claim_device(self.device), self.batch, self.threads)
