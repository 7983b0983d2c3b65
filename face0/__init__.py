"""Text-to-image conditioned on a face: the library behind the pipelines, by subject."""

from importlib.metadata import version

import lazy_loader as lazy

__version__ = version("face0")
__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
