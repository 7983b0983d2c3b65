"""Augmentation: what loads its worker in each process. Without Beam, which a worker process does not need."""

from dataclasses import dataclass

from face0.augmentation.augmenter import Augmenter
from face0.augmentation.config import AugmentConfig
from face0.readers.fetching import Fetcher
from face0.runtime.devices import claim_device


@dataclass(frozen=True, kw_only=True)
class LoadAugmenter:
    """Loads the worker in each process.

    Attributes:
        config: what decides which rows come out.
        fetcher: gets the images of lists.
        device: of torch, or ``auto``; of several GPUs each process claims one.
        threads: of each process.
    """

    config: AugmentConfig
    fetcher: Fetcher
    device: str
    threads: int

    def __call__(self) -> Augmenter:
        """The worker of this process."""
        return Augmenter(self.config, self.fetcher, claim_device(self.device), self.threads)
