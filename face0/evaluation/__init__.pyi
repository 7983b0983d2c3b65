from .encoders import CONDITIONING, JUDGE
from .measures import Measure, measures_table
from .paper_tables import MissingFace, PaperRow, PaperTables

__all__ = [
    "CONDITIONING",
    "JUDGE",
    "Measure",
    "MissingFace",
    "PaperRow",
    "PaperTables",
    "measures_table",
]
