from .forgetting import Findings, LocationMatches, forget, look_for
from .locations import classify
from .people import Subjects, subjects_of
from .tracing import trace

__all__ = [
    "Findings",
    "LocationMatches",
    "Subjects",
    "classify",
    "forget",
    "look_for",
    "subjects_of",
    "trace",
]
