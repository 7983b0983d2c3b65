"""Values of the columns that come along with an image: of any input, as plain Python, and as columns of a shard."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from face0.errors import UsageError
from face0.io.names import is_data_uri
from face0.io.records import json_object
from face0.io.text import BadEncoding, well_formed

Value = bool | int | float | str | None
"""A value of a column; None: it is missing."""

TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "int64": pa.int64(),
    "double": pa.float64(),
    "bool": pa.bool_(),
}
MAX_CHARS = 2**14  # of a text: what is longer is no label but content, and stays where it is


def plain(value: Any) -> Value:
    """A value as it was read, as a plain one: times and the like become text, lists and objects JSON.

    Bytes, numbers that are none (NaN), and texts that are content (of more than ``MAX_CHARS``, ``data:`` URIs) are
    missing.
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return None
    if isinstance(value, Mapping | list | tuple):
        value = json.dumps(value, ensure_ascii=False, default=str)
    text = well_formed(str(value))
    return None if len(text) > MAX_CHARS or is_data_uri(text) else text


def sidecar_values(
    sidecars: Mapping[str, bytes], names: Sequence[str] | None, encoding: str | None = None
) -> dict[str, Value]:
    """The values under some names in the JSON beside an image; those that it does not have are missing."""
    try:
        record = json_object(sidecars["json"], encoding) if names and "json" in sidecars else None
    except BadEncoding:
        record = None
    return {name: plain(record[name]) for name in names or () if name in record} if record else {}


def as_type(value: Value, kind: str) -> Value:
    """A value as one of ``TYPES``, by name; None where it is missing or cannot be that."""
    if value is None:
        return None
    try:
        match kind:
            case "double":
                number = float(value)
                return number if math.isfinite(number) else None
            case "int64":
                whole = int(value) if isinstance(value, str | int) else round(value)
                return whole if whole == float(value) and -(2**63) <= whole < 2**63 else None
            case "bool":
                return truth_of(str(value))
    except (ValueError, OverflowError):
        return None
    return value if isinstance(value, str) else json.dumps(value)


def truth_of(text: str) -> bool | None:
    """Whether a text says true or false; None for any other."""
    return {"true": True, "1": True, "false": False, "0": False}.get(text.strip().lower())


def type_of(values: Iterable[Value]) -> str:
    """The name of the type in ``TYPES`` that holds all of some values as they are; "string" where there are none."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return "bool"
    if kinds == {int}:
        return "int64"
    return "double" if kinds and kinds <= {int, float} else "string"


def to_array(values: Sequence[Value], kind: pa.DataType) -> pa.Array:
    """A column of a shard, of one of ``TYPES``; null where a value is missing or not of the type."""
    (name,) = (name for name, known in TYPES.items() if known == kind)
    return pa.array([as_type(value, name) for value in values], kind)


def parse_names(names: Sequence[str]) -> dict[str, str | None]:
    """``["aesthetic:double", "identity"]`` as names with their types, None where none is given.

    Raises:
        UsageError: a type that there is not.
    """
    types: dict[str, str | None] = {}
    for text in names:
        name, colon, kind = text.strip().rpartition(":")
        if not colon:
            name, kind = kind, ""
        if not name or (colon and kind not in TYPES):
            raise UsageError(f"--keep-columns {text}: give NAME, or NAME:TYPE with one of {', '.join(TYPES)}")
        types[name] = kind or None
    return types
