"""What is kept of names: of rows, of where they came from, and what is said of them. None of these holds content.

An image may stand in a list itself, as a ``data:`` URI or in base64, and a name may be of any length: of content the
digest stays, and a long name is cut and ends in the digest of the whole.
"""

import hashlib
import re

from face0.io.secrets import public, public_text

MAX_KEY_CHARS = 256
MAX_SOURCE_CHARS = 1024
MAX_MESSAGE_CHARS = 1024

_HEAD = 100  # characters that stay of a longer key or source
_VAST_CHARS = 2**14  # of a text, beyond which it is not looked through for secrets and content, and left out

_DATA_CHARS = 64  # of a shorter data: URI, which is no photograph
_CONTENT_CHARS = 200  # likewise of base64

_DATA = re.compile(r"data:[^\s\"'<>]*", re.IGNORECASE)
_DIGESTED = re.compile(r"data:[^,]{0,200},sha256-[0-9a-f]{32}", re.IGNORECASE)
# Neither words nor paths are as long without a dot or a space; paths of the web are.
_LONG_WORD = re.compile(rf"\S{{{_CONTENT_CHARS},}}")
_OF_BASE64 = (str.isupper, str.islower, str.isdigit)  # kinds of characters, of which it has all
_CONTENT = re.compile(rf"[A-Za-z0-9+/_=-]{{{_CONTENT_CHARS},}}")


def kept_key(text: str) -> str:
    """The key of a row as it is kept: in its public form, without content, of at most MAX_KEY_CHARS."""
    return _kept(text, MAX_KEY_CHARS)


def kept_source(text: str) -> str:
    """Where a row came from, as it is kept: likewise, of at most MAX_SOURCE_CHARS."""
    return _kept(text, MAX_SOURCE_CHARS)


def kept_message(text: str) -> str:
    """A sentence for a person, as it is kept: likewise, of at most MAX_MESSAGE_CHARS."""
    text = _without_content(public_text(text))
    return text if len(text) <= MAX_MESSAGE_CHARS else text[: MAX_MESSAGE_CHARS - 4] + " ..."


def is_data_uri(text: str) -> bool:
    """Whether a text is content itself, as a ``data:`` URI, maybe with white space around it."""
    return text.lstrip()[:5].lower() == "data:"


def _kept(text: str, most: int) -> str:
    if is_data_uri(text):
        text = text.strip()
    elif len(text) > _VAST_CHARS:
        text = f"{text[:_VAST_CHARS]}...{_digest(text)}"
    text = _without_content(public(text))
    return text if len(text) <= most else f"{text[:_HEAD]}...{_digest(text)}"


def _without_content(text: str) -> str:
    if "data:" in text.lower():
        text = _DATA.sub(_cut_data, text)
    return _LONG_WORD.sub(_cut_run, text) if len(text) >= _CONTENT_CHARS else text


def _cut_data(match: re.Match[str]) -> str:
    uri = match[0]
    return uri if len(uri) < _DATA_CHARS or _DIGESTED.match(uri) else f"data:,{_digest(uri)}"


def _cut_run(match: re.Match[str]) -> str:
    word = match[0]
    if "http://" in word or "https://" in word:
        path, mark, query = word.partition("?")
        return path + mark + _CONTENT.sub(_cut_base64, query)
    return _CONTENT.sub(_cut_base64, word)


def _cut_base64(match: re.Match[str]) -> str:
    run = match[0]
    return _digest(run) if all(any(map(kind, run)) for kind in _OF_BASE64) else run


def _digest(text: str) -> str:
    return f"sha256-{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:32]}"
