"""What of a URI may be kept and shown: its public form, without passwords, signatures and tokens.

Whatever is written, logged or printed has the public form; what reads has the URI as it was given. A renewed signature
leaves the public form as it was, so that tasks, keys and configurations stay the same.
"""

import hashlib
import io
import re
from collections.abc import Mapping
from typing import Any, TextIO
from urllib.parse import quote, unquote

# Names of query parameters, as ``_normal`` has them: of one of these words, whatever stands around it ...
_SECRET = re.compile(
    r"""(?: ^|_ ) (?:
        tokens? | secrets? | passwords? | passwd | passphrase | pwd | pass | signatures? | signed | sig | sign | auth
        | authorization | authentication | credentials? | creds | hmac | jwt | bearer | apikey | sas | otp
        | j?sessionid | phpsessid | hdnea | hdnts | hdntl
    ) (?: _|$ )
    | (?: api | access | private | secret | subscription | account | client | pair | app | auth | storage | shared
        | function | host | aws\w* | oss\w* | google ) _? key
    | access_? id | key_pair_id | oauth | accesskeyid | client_secret
    | ^x_(?: amz | goog | oss | cos | obs | tos | bce | ms )_ | ^q_(?: sign | ak | key | url | header | signature )
    """,
    re.VERBOSE,
)
_EXACT = {"key", "sigv", "ak", "sk"}
# ... and those that come with a signature, of which each alone may name the thing: how long it holds, and for whom
_SIGNATURES = re.compile(r"(?:^|_)(?:sig|sign|signature|hmac|md5|hash|token|hm|oh)(?:_|$)")
_ACCOMPANY = {
    *("expires", "expire", "expiry", "expiration", "exp", "e", "se", "sp", "sv", "sr", "st", "spr", "sip", "ss", "srt"),
    *("si", "ses", "sdd", "skoid", "sktid", "skt", "ske", "sks", "skv", "saoid", "suoid", "scid"),
    *("oh", "oe", "ex", "is", "hm", "md5", "hash", "date", "issued", "valid_until", "not_before", "kid", "policy"),
}
_TIMED = {"expires", "expire", "expiry", "expiration", "exp", "e", "se", "oe", "ex"}

_NEXT_IN_CHAIN = re.compile(r"::(?=[A-Za-z][A-Za-z0-9+.-]{0,30}://)")  # of fsspec: zip://a.jpg::https://host/b.zip
_AFTER_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,30})://([^/?#]*)")
# At the root of a file system that takes user info for a part of the path
_USER_IN_PATH = re.compile(r"(?:(?<=://)|(?<![^(\[{=,;:]))/[^/\s:@?#]{1,100}:[^/\s@]{1,300}@")
# The same where a message names what follows s3:// alone
_USER_FIRST = re.compile(r"^[^/\s:@?#=]{1,100}:[^/\s@]{1,300}@(?=[\w\[])")
_USER_WITHOUT_SCHEME = re.compile(r"(?:^|(?<=[(\[{=,;]))//[^/\s@?#]{1,300}@")  # the scheme is that of the page
_PATH_PARAMETER = re.compile(r";([^;/?#=\s]{1,60})=[^;/?#\s]*")  # https://host/a;jsessionid=0f3a/b.jpg
# File systems in whose URIs a name stands before the @: a container, or a repository
_NAMES_FIRST = {"abfs", "abfss", "az", "adl", "wasb", "wasbs", "github", "gitlab", "git", "hf", "onelake"}
_DATA = re.compile(r"(data:[^,]{0,200},)(.*)", re.IGNORECASE | re.DOTALL)
_DATA_IN_TEXT = re.compile(r"(\bdata:[\w.+-]{1,80}/[^,\s\"'<>]{0,200},)([^\s\"'<>]*)", re.IGNORECASE)
_SUSPECT = re.compile(r"://|=|@")
_BETWEEN = re.compile(r"([\s\"'<>`|]+)")  # what ends a URI in a text
_NESTED = 8  # URIs as parameters of URIs, each in the one before; what lies deeper is left out


def public(uri: str) -> str:
    """The public form of a URI, or of a pattern or a chain of URIs; other strings as they are.

    User info goes, and so do query parameters that are signatures or tokens, or come with one; others name the thing
    and stay. Of a ``data:`` URI the digest stays instead of the data.

    >>> public("https://me:pw@host/a.jpg?id=7&X-Amz-Signature=0f3a")
    'https://host/a.jpg?id=7'
    """
    if uri[:5].lower() == "data:":
        return _DATA.sub(_digested, uri, count=1)
    return _without_secrets(uri) if "://" in uri or uri.startswith("//") else uri


def public_text(text: str) -> str:
    """A text with each URI in it, and each query, in its public form: messages of errors, lines that are printed."""
    if "data:" in text.lower():
        text = _DATA_IN_TEXT.sub(_digested, text)
    return "".join(_public_word(word) if _SUSPECT.search(word) else word for word in _BETWEEN.split(text))


def public_values(values: Any) -> Any:
    """JSON values with the public form of each string in them that is a URI."""
    if isinstance(values, str):
        return public(values)
    if isinstance(values, Mapping):
        return {name: public_values(value) for name, value in values.items()}
    if isinstance(values, list | tuple):
        return [public_values(value) for value in values]
    return values


class PublicStream(io.TextIOBase):
    """A stream of text that shows URIs in their public form.

    Args:
        stream: where the text goes.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Writes a text; a URI is to come in one piece."""
        self._stream.write(public_text(text))
        return len(text)

    def flush(self) -> None:
        """Flushes what lies beneath."""
        self._stream.flush()

    def writable(self) -> bool:
        """Returns True."""
        return True

    def isatty(self) -> bool:
        """Whether the stream beneath is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """The number of the file beneath."""
        return self._stream.fileno()

    def close(self) -> None:
        """Leaves the stream beneath open: it is another's."""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Of the stream beneath."""
        return self._stream.encoding


def _public_word(word: str) -> str:
    """A word of a text in its public form, with the punctuation that follows it."""
    uri = word.rstrip(".,:;)]}")
    return _without_secrets(_USER_FIRST.sub("", uri)) + word[len(uri) :]


def _without_secrets(chain: str, depth: int = 0) -> str:
    """A chain of URIs, or a path with a query, in its public form."""
    return "::".join(_without_secrets_of_one(uri, depth) for uri in _NEXT_IN_CHAIN.split(chain))


def _without_secrets_of_one(uri: str, depth: int) -> str:
    if "@" in uri:
        uri = _USER_WITHOUT_SCHEME.sub("//", uri)
        if "://" in uri:
            uri = _AFTER_SCHEME.sub(_without_user, _joined_authority(uri))
        if not uri.startswith("file:"):
            uri = _USER_IN_PATH.sub("/", uri, count=1)
    if "://" in uri:
        uri = _PATH_PARAMETER.sub(lambda match: "" if _is_secret(_normal(match[1])) else match[0], uri)
        base, _, fragment = uri.partition("#")
        if "=" in fragment and (shown := _public_query(fragment, depth)) != fragment:
            uri = f"{base}#{shown}" if shown else base
    mark = "?" if "?" in uri else "&"  # the end of a URI that was cut up
    path, found, rest = uri.partition(mark)
    if not found:
        return uri
    query, hash_mark, fragment = rest.partition("#")
    shown = _public_query(query, depth)
    if shown == query:
        return uri
    return path + (f"{mark}{shown}" if shown else "") + hash_mark + fragment


def _joined_authority(uri: str) -> str:
    """Takes out user info whose password has a slash, a question mark or a hash, which ends the authority too early."""
    match = _AFTER_SCHEME.search(uri)
    if match is None or "@" in match[2] or match[2].count(":") != 1 or match[1].lower() in _NAMES_FIRST:
        return uri
    end = uri.find("@", match.end())
    port = match[2].partition(":")[2]
    if end < 0 or not port or port.isdecimal():
        return uri
    return f"{uri[: match.start()]}{match[1]}://{uri[end + 1 :]}"


def _without_user(match: re.Match[str]) -> str:
    user, at, host = match[2].rpartition("@")
    if at and match[1].lower() in _NAMES_FIRST and (":" not in user or match[1].lower() in ("github", "git", "gitlab")):
        return match[0]
    return f"{match[1]}://{host}"


def _public_query(query: str, depth: int) -> str:
    parameters = query.split("&")
    names = [_normal(parameter.partition("=")[0]) for parameter in parameters]
    signed = any(_SIGNATURES.search(name) for name in names) and any(_is_secret(n) or n in _TIMED for n in names)
    return "&".join(
        _public_parameter(parameter, depth)
        for parameter, name in zip(parameters, names, strict=True)
        if not (_is_secret(name) or (signed and name in _ACCOMPANY))
    )


def _public_parameter(parameter: str, depth: int) -> str:
    """A parameter whose value may be a URI in its turn, escaped or not."""
    name, equals, value = parameter.partition("=")
    plain = unquote(value)
    if "://" in plain and depth == _NESTED:
        return f"{name}{equals}"
    if "://" in value:
        return f"{name}{equals}{_public_nested(value, depth)}"
    if "://" in plain and (shown := _public_nested(plain, depth)) != plain:
        return f"{name}{equals}{quote(shown, safe='')}"
    return parameter


def _public_nested(uri: str, depth: int) -> str:
    return public(uri) if uri[:5].lower() == "data:" else _without_secrets(uri, depth + 1)


def _is_secret(name: str) -> bool:
    return name in _EXACT or _SECRET.search(name) is not None


def _normal(name: str) -> str:
    """A parameter's name in small letters, its words joined by underscores."""
    name = unquote(name).removeprefix("amp;")
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", words.lower())


def _digested(match: re.Match[str]) -> str:
    if match[2].startswith("sha256-"):
        return match[0]
    return f"{match[1]}sha256-{hashlib.sha256(match[2].encode()).hexdigest()[:32]}"
