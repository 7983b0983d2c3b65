"""Names made from URIs: the folder of a file, the key of a row, the URI that a reference stands for."""

import re

from face0.io.secrets import public
from face0.io.storage import join
from face0.readers.access import is_web

_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|data:|/")


def _without_query(uri: str) -> str:
    """Web addresses may carry a signature behind a question mark; elsewhere it is a part of the name."""
    return uri.partition("?")[0] if is_web(uri) else uri


def name_of(uri: str) -> str:
    """The last part of the path: ``s3://bucket/a/b.csv`` -> ``b.csv``."""
    return _without_query(public(uri)).rstrip("/").rpartition("/")[2]


def folder_of(uri: str) -> str:
    """The URI of the folder that a file lies in."""
    return _without_query(uri).rpartition("/")[0]


def split_extension(path: str) -> tuple[str, str]:
    """Splits a path at the last dot of its name; what is behind that comes in lower case.

    >>> split_extension("a.v1/b.c.JPG"), split_extension("a.v1/.hidden")
    (('a.v1/b.c', 'jpg'), ('a.v1/.hidden', ''))
    """
    folder, slash, name = path.rpartition("/")
    stem, _, extension = name.rpartition(".")
    # A name without a dot, or with none but the first of a hidden file, has no extension.
    return (folder + slash + stem, extension.lower()) if stem else (path, "")


def split_at_first_dot(path: str) -> tuple[str, str]:
    """Splits a path at the first dot of its name, as webdataset does; what is behind that comes in lower case.

    >>> split_at_first_dot("a.v1/b.seg.PNG"), split_at_first_dot("a/.hidden.jpg")
    (('a.v1/b', 'seg.png'), ('a/.hidden', 'jpg'))
    """
    folder, slash, name = path.rpartition("/")
    hidden = "." if name.startswith(".") else ""
    stem, _, extension = name[len(hidden) :].partition(".")
    return folder + slash + hidden + stem, extension.lower()


def row_key(uri: str, row: int) -> str:
    """The key of a row that brings none: the name of its file and its number there.

    >>> row_key("https://host/list.csv?signature=1", 7)
    'list-000000007'
    """
    return f"{split_extension(name_of(uri))[0]}-{row:09d}"


def resolve(reference: str, folder: str) -> str:
    """The URI of a reference as it stands in a list: absolute as it is, relative to the list's folder otherwise.

    >>> resolve("images/a.jpg", "s3://bucket/lists"), resolve("/data/a.jpg", "s3://bucket/lists")
    ('s3://bucket/lists/images/a.jpg', '/data/a.jpg')
    """
    return reference if _ABSOLUTE.match(reference) else join(folder, reference)
