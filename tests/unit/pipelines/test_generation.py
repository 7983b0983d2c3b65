"""What loads the workers: augment's and generate's alike claim a device for each process."""

import pytest

from face0.augmentation.config import AugmentConfig
from face0.embedders.specification import embedder_config
from face0.generation.config import GenerateConfig
from face0.readers.fetching import Fetcher
from pipelines import augmentation, generator
from pipelines.augmentation import LoadAugmenter
from pipelines.generator import LoadGenerator

AUGMENT = LoadAugmenter(
    config=AugmentConfig(embedder=embedder_config("random:0")), fetcher=Fetcher(), device="cuda", threads=1
)
GENERATE = LoadGenerator(config=GenerateConfig(model="model", fingerprint=""), device="cuda", batch=1, threads=1)


@pytest.mark.parametrize(
    ("load", "module", "worker"), [(AUGMENT, augmentation, "Augmenter"), (GENERATE, generator, "Generator")]
)
def test_each_process_computes_on_the_device_that_it_claims(load, module, worker, monkeypatch):
    monkeypatch.setattr(module, "claim_device", lambda name: f"{name}:1")
    monkeypatch.setattr(module, worker, lambda *arguments: arguments)
    assert "cuda:1" in load()
    assert "cuda" not in load()
