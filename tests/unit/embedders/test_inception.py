"""The net cut after its average pool."""

from benchmarks.agreement import least_cosine
from face0.embedders.inception import InceptionConfig
from tests.fixtures.pictures import free_photographs


def test_fast_embeddings_are_those_of_float32() -> None:
    assert least_cosine(free_photographs(), InceptionConfig(trained_on="random")) > 0.999
