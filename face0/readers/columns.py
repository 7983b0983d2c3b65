"""Which column is which: by the name the caller gave, or by convention, whatever the case.

Every function takes the Arrow schema of the input (for text files, one of strings: ``text_schema``) and ``where``, the
input's URI for messages. All of them raise UsageError, listing the columns and naming the flag that settles it.
"""

import logging
from collections.abc import Callable, Iterable, Sequence

import pyarrow as pa
from pyarrow import types

from face0.errors import UsageError
from face0.readers.values import is_list

# In order of preference, in lower case.
IMAGE_NAMES = ("image", "jpg", "jpeg", "png", "webp", "image_bytes", "bytes", "img", "image_data", "content")
CAPTION_NAMES = ("caption", "text", "txt", "prompt", "description", "alt_text")
URL_NAMES = ("url", "uri", "image_url", "file_name", "filename", "path", "image_path", "file_path", "filepath", "image")
KEY_NAMES = ("key", "__key__", "id", "sample_id", "uid")
INDEX_NAMES = ("__index_level_0__",)  # of pandas; if they are texts, somebody gave them

_log = logging.getLogger(__name__)


def text_schema(names: Iterable[str]) -> pa.Schema:
    """The schema of a text file: strings, in the order of the names."""
    return pa.schema([pa.field(name, pa.string()) for name in names])


def note_lists(schema: pa.Schema, caption: str, where: str) -> None:
    """Says, once for an input, that its captions are lists."""
    if is_list(schema.field(caption).type):
        _log.warning("%s has a list of captions in each row: the first one is taken", where)


def find_image(schema: pa.Schema, given: str | None, where: str) -> str:
    """The column of images: binary, or a struct with a field ``bytes`` or ``path``."""
    return _required(known_image(schema) if given is None else given, schema, is_image, "image", where)


def known_image(schema: pa.Schema) -> str | None:
    """The column of image bytes by convention, or None."""
    return _known(schema, is_image, IMAGE_NAMES)


def find_caption(schema: pa.Schema, given: str | None, where: str) -> str:
    """The column of captions: texts, or lists of them."""
    return _required(
        _known(schema, _is_caption, CAPTION_NAMES) if given is None else given, schema, _is_caption, "caption", where
    )


def find_url(schema: pa.Schema, given: str | None, where: str) -> str:
    """The column of image URIs."""
    known = _known(schema, is_text, URL_NAMES) or _known(schema, _is_any_text, URL_NAMES[:-1])
    return _required(known if given is None else given, schema, _is_any_text, "url", where)


def find_key(schema: pa.Schema, given: str | None, where: str) -> str | None:
    """The column of keys; None where none was given and none is known by its name: rows are numbered then."""
    if given is None:
        return _known(schema, _is_key, KEY_NAMES) or _known(schema, is_text, INDEX_NAMES)
    return _required(given, schema, _is_key, "key", where)


def find_also(schema: pa.Schema, names: Sequence[str] | None, where: str) -> list[str]:
    """The columns that come along. Raises UsageError for one that is not there."""
    for name in names or ():
        if schema.names.count(name) != 1:
            there = ", ".join(schema.names) or "none"
            raise UsageError(f"{where} has no one column {name!r}, which --keep-columns or --where names: {there}")
    return list(names or ())


def is_image(kind: pa.DataType) -> bool:
    """Whether a column of this type can hold the bytes of images."""
    if types.is_struct(kind):
        return any(_is_binary(field.type) for field in kind if field.name == "bytes") or (
            any(is_text(field.type) for field in kind if field.name == "path")
        )
    return _is_binary(kind)


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type holds strings."""
    kind = _decoded(kind)
    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def _decoded(kind: pa.DataType) -> pa.DataType:
    """The type of the values of a dictionary; another type as it is."""
    return kind.value_type if types.is_dictionary(kind) else kind


def _is_binary(kind: pa.DataType) -> bool:
    kind = _decoded(kind)
    return types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind)


def _is_any_text(kind: pa.DataType) -> bool:
    return is_text(kind) or _is_binary(kind)


def _is_caption(kind: pa.DataType) -> bool:
    return _is_any_text(kind) or (is_list(kind) and _is_any_text(kind.value_type))


def _is_key(kind: pa.DataType) -> bool:
    kind = _decoded(kind)
    # Floats are what pandas makes of whole numbers where one is missing.
    numbers = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
    return _is_any_text(kind) or numbers or types.is_temporal(kind) or isinstance(kind, pa.UuidType)


def _known(schema: pa.Schema, fits: Callable[[pa.DataType], bool], names: Sequence[str]) -> str | None:
    fitting: dict[str, str] = {}
    for field in schema:
        if fits(field.type):
            fitting.setdefault(field.name.strip().lower(), field.name)
    return next((fitting[name] for name in names if name in fitting), None)


def _required(name: str | None, schema: pa.Schema, fits: Callable[[pa.DataType], bool], kind: str, where: str) -> str:
    """The name, checked against the schema."""
    columns = ", ".join(f"{field.name} ({field.type})" for field in schema)
    remedy = f"name it with --{kind}-column; there are: {columns or 'none'}"
    if name is None:
        raise UsageError(f"no {kind} column is known by its name in {where}: {remedy}")
    if schema.names.count(name) != 1:
        raise UsageError(f"not one, but {schema.names.count(name)} columns are called {name!r} in {where}: {remedy}")
    if not fits(schema.field(name).type):
        raise UsageError(f"column {name!r} of {where} cannot be the {kind}, being {schema.field(name).type}: {remedy}")
    return name
