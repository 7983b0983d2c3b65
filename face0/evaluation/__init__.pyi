from .encoders import CONDITIONING, JUDGE
from .measures import Measure, measures_table
from .paper_tables import MissingFace, PaperTables

__all__ = [
    "CONDITIONING",
    "JUDGE",
    "Measure",
    "MissingFace",
    "PaperTables",
    "measures_table",
]
