"""Inputs of captioned images: which reader reads what, how inputs are cut into tasks, how images are fetched."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
