"""Faces as vectors: banks, photographs, edits, face space, deny list."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
