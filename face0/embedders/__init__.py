"""Embedders: from a face to the vector that conditions the model, and what made a vector."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
