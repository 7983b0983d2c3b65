from .augmenter import Augmenter
from .config import AugmentConfig
from .denied_strangers import refuse_strangers_denied
from .dry_run import survey
from .kept_columns import kept_types

__all__ = [
    "AugmentConfig",
    "Augmenter",
    "kept_types",
    "refuse_strangers_denied",
    "survey",
]
