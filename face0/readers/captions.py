"""Captions from the files beside an image: plain text, or JSON with a caption in it."""

import json
from collections.abc import Mapping
from typing import Any

from face0.readers.columns import CAPTION_NAMES

SIDECAR_EXTENSIONS = frozenset({"txt", "json"})


def sidecar_caption(sidecars: Mapping[str, bytes], given: str | None) -> str | None:
    """The caption of an image, from the contents of its sidecars by extension.

    The text file goes before the JSON, except where the caller has named the JSON's key (``given``). A blank caption
    gives way to the other file's.
    """
    captions = {"txt": text_caption(sidecars.get("txt")), "json": json_caption(sidecars.get("json"), given)}
    order = ("json", "txt") if given is not None else ("txt", "json")
    candidates = [captions[extension] for extension in order]
    return next((caption for caption in candidates if caption), None)


def text_caption(data: bytes | None) -> str | None:
    """The text without white space around it; None where there is no UTF-8."""
    if data is None:
        return None
    try:
        return data.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        return None


def json_caption(data: bytes | None, given: str | None) -> str | None:
    """The string under the caption's key, ``given`` or one known by its name; None where there is none."""
    record = json_object(data) if data is not None else None
    if record is None:
        return None
    if given is not None:
        values = [record.get(given)]
    else:
        values_by_name = {name.lower(): value for name, value in record.items()}
        values = [values_by_name.get(name) for name in CAPTION_NAMES]
    return next((well_formed(value).strip() for value in values if isinstance(value, str)), None)


def json_object(data: bytes) -> dict[str, Any] | None:
    """The JSON object that the bytes hold; None for anything else."""
    try:
        value = json.loads(data.decode("utf-8-sig"))
    # Nesting that is deep on purpose ends in a RecursionError.
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def well_formed(text: str) -> str:
    """Replaces halves of surrogate pairs, which JSON and file names can hold and no UTF-8 column can."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
