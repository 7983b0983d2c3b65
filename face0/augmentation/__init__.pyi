from .augmenter import Augmenter
from .config import AugmentConfig
from .dry_run import survey

__all__ = [
    "AugmentConfig",
    "Augmenter",
    "survey",
]
