from .page import write_audit

__all__ = [
    "write_audit",
]
