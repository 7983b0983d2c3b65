from .forgetting import Findings, forget, look_for
from .people import Subjects, subjects_of
from .provenance import classify
from .tracing import trace

__all__ = [
    "Findings",
    "Subjects",
    "classify",
    "forget",
    "look_for",
    "subjects_of",
    "trace",
]
