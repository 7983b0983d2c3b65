from .analysis import Audit, Reference, audit
from .effort import Resampling
from .labels import Labels, read_labels
from .manifest import audit_manifest, filled, occupations

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
