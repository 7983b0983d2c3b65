from .json import to_json_values
from .storage import absolute, drop_partial, expand, filesystem, full_uri, join, local_folder, open_uri, write_whole
from .tables import read_rows, read_text

__all__ = [
    "absolute",
    "drop_partial",
    "expand",
    "filesystem",
    "full_uri",
    "join",
    "local_folder",
    "open_uri",
    "read_rows",
    "read_text",
    "to_json_values",
    "write_whole",
]
