from .forgetting import Findings, forget, look_for
from .locations import Locations, classify
from .matches import LocationMatches, Match
from .people import Subjects, subjects_of
from .tracing import Trace, trace

__all__ = [
    "Findings",
    "LocationMatches",
    "Locations",
    "Match",
    "Subjects",
    "Trace",
    "classify",
    "forget",
    "look_for",
    "subjects_of",
    "trace",
]
