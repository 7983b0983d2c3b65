"""Beam pipelines: how tasks spread over workers. They wire, they do not compute; all Beam lives here."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
