"""Fixtures of the unit tests."""

import pytest

from face0.generation.renderer import Renderer
from face0.model.pipeline import Face0Pipeline
from tests.fixtures.models import tiny_pipeline


@pytest.fixture(scope="module")
def pipe() -> Face0Pipeline:
    """A tiny pipeline of random weights."""
    return tiny_pipeline()


@pytest.fixture(scope="module")
def render(pipe: Face0Pipeline) -> Renderer:
    """The renderer of that pipeline."""
    return Renderer(pipe)
