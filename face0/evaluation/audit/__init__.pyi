from .analysis import Audit, Reference, audit
from .labels import Labels, read_labels
from .manifest import audit_manifest, filled, occupations
from .resampling import Resampling

__all__ = [
    "Audit",
    "Labels",
    "Reference",
    "Resampling",
    "audit",
    "audit_manifest",
    "filled",
    "occupations",
    "read_labels",
]
