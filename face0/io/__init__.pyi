from .folder import Folder
from .json import differences, to_json_values
from .permissions import Permissions
from .storage import absolute, drop_partial, expand, filesystem, full_uri, join, open_uri, write_whole
from .tables import read_rows, read_text

__all__ = [
    "Folder",
    "Permissions",
    "absolute",
    "differences",
    "drop_partial",
    "expand",
    "filesystem",
    "full_uri",
    "join",
    "open_uri",
    "read_rows",
    "read_text",
    "to_json_values",
    "write_whole",
]
