from .audit.page import write_audit
from .characters import write_characters
from .generation.page import write_report
from .pages import PAGE
from .shard_preview import contact_sheet

__all__ = [
    "PAGE",
    "contact_sheet",
    "write_audit",
    "write_characters",
    "write_report",
]
