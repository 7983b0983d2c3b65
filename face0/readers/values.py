"""Values of columns as text: captions, URIs and keys, whatever type a format gives them."""

import ast
import json
import math
import re
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa
from pyarrow import types

from face0.io.text import BadEncoding, decode_text, well_formed
from face0.readers.failures import failed_row
from schemas.failures import Failure, Reason

ENCODING_REMEDY = "--encoding names it (cp1252, shift_jis, gb18030, ...)"
_MAX_JSON_CHARS = 2**16  # of a text that is looked at for being an array


class NoText(ValueError):
    """A value, or a file, that is no text; the message says what it is instead."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def failure(self, key: str, source: str) -> Failure:
        """The failure of the row that it stands in."""
        return failed_row(key, source, self.reason, str(self))


def not_encoded(what: str, error: BadEncoding) -> NoText:
    """What is raised of bytes in an encoding that cannot be told."""
    message = str(error).removeprefix("it ")
    return NoText(Reason.BAD_ENCODING, f"{what} {message}: {ENCODING_REMEDY}")


def text_of(value: Any, encoding: str | None = None, what: str = "a value") -> str | None:
    """A value as text: a whole number without a point, a date as ISO 8601 has it; None for what is none of these.

    Raises:
        NoText: bytes in an encoding that cannot be told.
    """
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, bytes):
        try:
            return decode_text(value, encoding)
        except BadEncoding as error:
            raise not_encoded(what, error) from None
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        if math.isnan(value):
            return None  # where pandas has no value
        # As pandas makes of whole numbers where one is missing
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else str(value)
    if isinstance(value, Decimal) and value.is_finite():
        whole, _, fraction = f"{value:f}".partition(".")
        return f"{whole}.{fraction}" if fraction.strip("0") else whole
    return str(value) if isinstance(value, int | date | UUID) else None


def caption_text(value: Any, encoding: str | None = None) -> str | None:
    """The caption that a value holds: of a list, or the text of one, the first that is not blank.

    Raises:
        NoText: it is an object, or a list of other things than texts; or bytes in an encoding that cannot be told.
    """
    if isinstance(value, str):
        value = _parsed(value)
    if isinstance(value, dict):
        names = ", ".join(map(str, list(value)[:5]))
        raise NoText(Reason.NO_CAPTION, f"the caption is no text, but an object with the fields {well_formed(names)}")
    if not isinstance(value, list):
        return text_of(value, encoding, "the caption")
    captions = [text_of(part, encoding, "the caption") for part in value]
    if not all(part is None or isinstance(part, str | bytes) for part in value):
        raise NoText(Reason.NO_CAPTION, "the caption is no text, and no list of texts, but a list of other things")
    return next((caption for caption in captions if caption and caption.strip()), None)


def _parsed(text: str) -> str | list[Any]:
    """The list of texts that a text is of, in JSON or as Python and NumPy print it into a CSV; else the text."""
    if not (text[:1] == "[" and text[-1:] == "]" and len(text) <= _MAX_JSON_CHARS):
        return text
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = _printed(text)
    return values if isinstance(values, list) and all(isinstance(value, str | None) for value in values) else text


_LITERAL = r"""'(?:[^'\\\n]|\\[\\'"abfnrtvxuU0-7])*'|"(?:[^"\\\n]|\\[\\'"abfnrtvxuU0-7])*"|None"""
_PRINTED = re.compile(rf"\[\s*(?:{_LITERAL})(?:(?:\s*,\s*|\s+)(?:{_LITERAL}))*\s*\]")


def _printed(text: str) -> list[str | None] | None:
    """``['a', "it's"]`` of Python, ``['a' 'b']`` of NumPy: the list; None: it is none of texts."""
    if _PRINTED.fullmatch(text) is None:
        return None
    try:
        return [ast.literal_eval(literal) for literal in re.findall(_LITERAL, text)]
    except (ValueError, SyntaxError):
        return None


def python_values(column: pa.Array) -> list[Any]:
    """The values of a column of Arrow as ``text_of`` and ``caption_text`` take them; text that is no UTF-8 as bytes.

    Parquet promises UTF-8 and Arrow does not check.
    """
    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if is_list(column.type):
        flat = python_values(column.flatten()) if not types.is_fixed_size_list(column.type) else None
        if flat is None:
            return python_values(column.cast(pa.list_(column.type.value_type)))
        lengths = column.value_lengths().to_pylist()
        parts = iter(flat)
        return [None if length is None else [next(parts) for _ in range(length)] for length in lengths]
    if not is_texts(column.type):
        return column.to_pylist()
    values = column.cast(pa.large_binary()).to_pylist()
    return [None if value is None else _utf8(value) for value in values]


def is_list(kind: pa.DataType) -> bool:
    """Whether a column of this type holds lists."""
    return types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)


def is_texts(kind: pa.DataType) -> bool:
    """Whether a column of this type holds strings or bytes."""
    strings = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    return strings or types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind)


def _utf8(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value
