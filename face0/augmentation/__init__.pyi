from .augmenter import AugmentConfig, Augmenter
from .dry_run import survey

__all__ = [
    "AugmentConfig",
    "Augmenter",
    "survey",
]
