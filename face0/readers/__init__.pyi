from .access import Access
from .fetching import Fetcher
from .planning import READERS, plan, read
from .samples import Columns, Reader, Sample, Split

__all__ = [
    "READERS",
    "Access",
    "Columns",
    "Fetcher",
    "Reader",
    "Sample",
    "Split",
    "plan",
    "read",
]
