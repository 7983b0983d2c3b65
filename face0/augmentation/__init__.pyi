from .augmenter import Augmenter
from .config import AugmentConfig
from .dry_run import refuse_strangers_denied, survey
from .kept_columns import kept_types

__all__ = [
    "AugmentConfig",
    "Augmenter",
    "kept_types",
    "refuse_strangers_denied",
    "survey",
]
