"""Captions from the files beside an image: plain text, or JSON with a caption in it."""

from collections.abc import Mapping

from face0.io.records import json_object
from face0.io.text import BadEncoding, decode_text
from face0.readers.columns import CAPTION_NAMES
from face0.readers.values import caption_text, not_encoded

# Of captions beside images, in order of preference: what trainers and download tools write.
_TEXT_ENDINGS = ("txt", "caption", "captions", "cap", "text", "description", "desc", "prompt")


def caption_endings(given: str | None) -> tuple[str, ...]:
    """The endings of files with captions, in order of preference: the one ``given``, or all that are known."""
    return (*_TEXT_ENDINGS, "json") if given is None else (given,)


def sidecar_caption(sidecars: Mapping[str, bytes], given: str | None, encoding: str | None = None) -> str | None:
    """The caption of an image, from the contents of its sidecars by ending.

    Text goes before JSON, except where the caller has named the JSON's key (``given``). A blank caption gives way to
    another file's. ``encoding`` is that of files that are no UTF-8.

    Raises:
        NoText: a file that may hold the caption is in an encoding that cannot be told, or its caption is no text.
    """
    rank = {ending: number for number, ending in enumerate(caption_endings(None))}
    ordered = sorted(sidecars, key=lambda ending: (given is not None and not _is_json(ending), rank.get(ending, -1)))
    captions = (
        json_caption(sidecars[ending], given, encoding)
        if _is_json(ending)
        else text_caption(sidecars[ending], encoding)
        for ending in ordered
    )
    return next((caption for caption in captions if caption), None)


def _is_json(ending: str) -> bool:
    return ending.rpartition(".")[2] == "json"


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
