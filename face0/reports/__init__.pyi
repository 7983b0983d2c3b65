from .audit.page import write_audit
from .augmentation.failed_pictures import FailedPictures
from .augmentation.page import write_augmentation
from .characters import write_characters
from .generation.page import write_report
from .pages import PAGE
from .shard_preview import contact_sheet
from .training.page import write_training

__all__ = [
    "PAGE",
    "FailedPictures",
    "contact_sheet",
    "write_audit",
    "write_augmentation",
    "write_characters",
    "write_report",
    "write_training",
]
