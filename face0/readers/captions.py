"""Captions from the files beside an image: plain text, or JSON with a caption in it."""

from collections.abc import Mapping

from face0.io.records import json_object
from face0.io.text import BadEncoding, decode_text
from face0.readers.columns import CAPTION_NAMES
from face0.readers.values import caption_text, not_encoded

SIDECAR_EXTENSIONS = frozenset({"txt", "json"})


def sidecar_caption(sidecars: Mapping[str, bytes], given: str | None, encoding: str | None = None) -> str | None:
    """The caption of an image, from the contents of its sidecars by extension.

    The text file goes before the JSON, except where the caller has named the JSON's key (``given``). A blank caption
    gives way to the other file's. ``encoding`` is that of files that are no UTF-8.

    Raises:
        NoText: a file that may hold the caption is in an encoding that cannot be told, or its caption is no text.
    """
    captions = {
        "txt": text_caption(sidecars.get("txt"), encoding),
        "json": json_caption(sidecars.get("json"), given, encoding),
    }
    order = ("json", "txt") if given is not None else ("txt", "json")
    candidates = [captions[extension] for extension in order]
    return next((caption for caption in candidates if caption), None)


def text_caption(data: bytes | None, encoding: str | None = None) -> str | None:
    """The text without white space around it; None where there is no file. Raises NoText."""
    if data is None:
        return None
    try:
        return decode_text(data, encoding).strip()
    except BadEncoding as error:
        raise not_encoded("the caption beside it", error) from None


def json_caption(data: bytes | None, given: str | None, encoding: str | None = None) -> str | None:
    """The text under the caption's key, ``given`` or one known by its name; None where there is none. Raises NoText."""
    if data is None:
        return None
    try:
        record = json_object(data, encoding)
    except BadEncoding as error:
        raise not_encoded("the JSON beside it", error) from None
    if record is None:
        return None
    if given is not None:
        value = record.get(given)
    else:
        values_by_name = {name.lower(): value for name, value in record.items()}
        value = next((values_by_name[name] for name in CAPTION_NAMES if _has(values_by_name.get(name))), None)
    text = caption_text(value) if isinstance(value, str | list | dict) else None
    return None if text is None else text.strip()


def _has(value: object) -> bool:
    return isinstance(value, str | list | dict)
