from .forgetting import Findings, LocationMatches, forget, look_for
from .people import Subjects, identity_of, subjects_of
from .provenance import classify
from .tracing import trace

__all__ = [
    "Findings",
    "LocationMatches",
    "Subjects",
    "classify",
    "forget",
    "identity_of",
    "look_for",
    "subjects_of",
    "trace",
]
