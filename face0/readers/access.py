"""What may be read at the word of an input.

Whoever starts a job names its inputs, and is trusted with it. What stands in a list, or behind a link in a folder, was
written by others: it may name images on the web, ``data:`` URIs and files below its own folder. The rest is read only
where the user says so (``face0 augment --allow``).
"""

import ipaddress
import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO
from urllib.parse import unquote, urlsplit

import fsspec

from face0.errors import UsageError
from face0.io.storage import filesystem, open_uri
from face0.readers.addresses import Network, is_loopback

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_LOCAL = ("file", "local")
_WEB = ("http", "https")

# File systems that open what a further URI names: to allow one would be to allow all.
_WRAPPERS = frozenset(
    re.findall(
        r"\w+",
        "async_wrapper asynclocal asyncwrapper blockcache cached dask dir dvc filecache generic git jlab jupyter "
        "libarchive reference simplecache tar zip",
    )
)

# Each time a name is decoded costs its length, and no honest name is written so.
_DECODED = 8

# Files there are made as they are read, and say of themselves that they are regular and empty.
_PSEUDO = ("/proc", "/sys")


class NotAllowed(Exception):
    """What an input names is not its to name."""


@dataclass(frozen=True, kw_only=True)
class Access:
    """What lists and links may name, beside the web and what lies below their own folder.

    Attributes:
        protocols: all of each, as "s3".
        prefixes: URIs of files or folders, as "s3://bucket/photos".
        folders: local files or folders, by absolute path.
        hosts: names or addresses with a port, which may be private.
        networks: of private addresses, by CIDR.
    """

    protocols: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    hosts: frozenset[tuple[str, int]] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def of(cls, values: Sequence[str]) -> "Access":
        """What ``--allow PROTOCOL|PREFIX`` says. Raises UsageError for what is neither."""
        protocols: set[str] = set()
        prefixes: list[str] = []
        folders: list[str] = []
        hosts: set[tuple[str, int]] = set()
        networks: list[Network] = []
        for value in values:
            scheme, rest = _split(value)
            if not rest:
                protocols.add(_known(scheme, value))
            elif scheme in _WEB:
                network = _network(value)
                if network is not None:
                    networks.append(network)
                else:
                    hosts.add(_host(value))
            elif scheme in _LOCAL:
                folders.append(_folder(rest, value))
            else:
                prefixes.append(f"{_known(scheme, value)}://{rest.rstrip('/')}")
        return cls(
            protocols=frozenset(protocols),
            prefixes=tuple(prefixes),
            folders=tuple(folders),
            hosts=frozenset(hosts),
            networks=tuple(networks),
        )

    def open(self, uri: str, within: str | None) -> IO[bytes]:
        """Opens a file that an input names, for reading.

        Args:
            uri: of the file; not on the web.
            within: URI of the folder that the input lies in: what is below needs no leave. None: there is none.

        Raises:
            NotAllowed: the file is not the input's to name.
            UsageError: its protocol is not installed.
            OSError: it cannot be opened.
        """
        if is_local(uri):
            return open_uri(self.local_file(uri, within))
        return self._open_remote(uri, within)

    def local_file(self, uri: str, within: str | None) -> str:
        """The path of a local file, free of links. Raises as ``open`` does, and for what is no regular file."""
        real = self._real(uri, within)
        kind = os.stat(real).st_mode
        if stat.S_ISDIR(kind):
            raise IsADirectoryError(f"{_local_path(uri)} is a directory")
        if not stat.S_ISREG(kind):
            raise NoFile(f"{_local_path(uri)} is a pipe, a socket or a device")
        return real

    def local_folder(self, uri: str, within: str) -> str:
        """The path of a local folder, free of links. Raises NotAllowed."""
        return self._real(uri, within, is_folder=True)

    def _real(self, uri: str, within: str | None, *, is_folder: bool = False) -> str:
        """The path of a local file, or of a folder, that may be read. Raises NotAllowed."""
        if within is not None and not is_local(within):
            raise NotAllowed("only a list on this machine can name files of this machine: copy the list here")
        path = _as_on_disk(_local_path(uri))
        if within is not None and path.startswith(_local_path(within).rstrip("/") + "/"):
            _refuse_disguise(path[len(_local_path(within).rstrip("/")) + 1 :])
        else:
            _refuse_disguise(path.lstrip("/"))
        real = os.path.realpath(path)
        roots = [*self.folders, *([os.path.realpath(_local_path(within))] if within is not None else [])]
        is_free = "file" in self.protocols or lies_below(real, map(os.path.realpath, roots))
        if lies_below(real, _PSEUDO):
            raise NotAllowed("what lies there is made by the system, and no file")
        if not is_free:
            raise NotAllowed(
                "it lies, or a link leads, outside of the folder that names it; "
                f"--allow file://{(real if is_folder else os.path.dirname(real)).rstrip('/')}/ permits it"
            )
        return real

    def _open_remote(self, uri: str, within: str | None) -> IO[bytes]:
        """A file that is neither local nor on the web."""
        if within is not None and uri.startswith(within.rstrip("/") + "/"):
            name = uri[len(within.rstrip("/")) + 1 :]
            _refuse_steps(name)
            if "::" not in name:
                return open_uri(uri)
            # By the folder's own file system: nothing in the name can ask for another one.
            fs, root = filesystem(within)
            file: IO[bytes] = fs.open(f"{root.rstrip('/')}/{name}", "rb")
            return file
        scheme, rest = _split(uri)
        if "::" in uri or scheme in _WRAPPERS:
            raise NotAllowed("chains of file systems, and those that open what others name, are not read of a list")
        if scheme not in fsspec.available_protocols():
            raise UsageError(f"there is no protocol {scheme!r}")
        _refuse_steps(rest)
        plain = f"{scheme}://{rest}"
        if scheme not in self.protocols and not lies_below(plain, self.prefixes):
            place = rest.partition("/")[0]
            has_password = ":" in place.rpartition("@")[0]
            remedy = scheme if has_password else f"{scheme}://{place}/"
            raise NotAllowed(f"--allow {remedy} permits it")
        return open_uri(plain)


NOTHING_MORE = Access()


class NoFile(Exception):
    """A pipe would hang whoever opens it, a device might never end."""


def is_web(uri: str) -> bool:
    """Whether a URI is a web address."""
    return uri.lower().startswith(("http://", "https://"))


def is_local(uri: str) -> bool:
    """Whether a URI is that of a file of this machine."""
    match = _SCHEME.match(uri)
    return uri.startswith("/") if match is None else match[1].lower() in _LOCAL


def lies_below(path: str, roots: Iterable[str]) -> bool:
    """Whether a path, or a URI, is one of some roots or below one of them, by its letters alone."""
    return any(path == root or path.startswith(root.rstrip("/") + "/") for root in roots)


def origin(url: str) -> tuple[str, int]:
    """The host and the port of a web address. Raises ValueError if it has none."""
    parts = urlsplit(url)
    if not parts.hostname:
        raise ValueError("there is no host")
    return parts.hostname, parts.port or (443 if parts.scheme.lower() == "https" else 80)


def named_loopback(url: str, within: str | None) -> tuple[str, int] | None:
    """The host and port of this machine that a list may send us to: one that lies here, and names them in the URL.

    Whoever can write such a list next to the images can ask the servers of this machine too. Raises ValueError if the
    URL has no host.
    """
    if within is None or not is_local(within):
        return None
    host, port = origin(url)
    return (host, port) if is_loopback(host) else None


def _split(uri: str) -> tuple[str, str]:
    """The protocol in lower case, and what follows it; a bare path is a local file's, a bare word a protocol."""
    match = _SCHEME.match(uri)
    if match is not None:
        return match[1].lower(), uri[match.end() :]
    return ("file", uri) if uri.startswith("/") else (uri.lower(), "")


def _known(scheme: str, value: str) -> str:
    """A protocol that may be allowed."""
    if "::" in value or scheme in _WRAPPERS:
        raise UsageError(f"--allow {value}: a file system that opens what others name cannot be allowed; name those")
    if scheme == "local":
        return "file"
    if scheme not in fsspec.available_protocols():
        raise UsageError(f"--allow {value}: give a protocol as s3, or the beginning of a URI as s3://bucket/photos/")
    return scheme


def _folder(path: str, value: str) -> str:
    if not path.startswith("/"):
        raise UsageError(f"--allow {value}: give the absolute path of the folder, as file:///data/photos/")
    return os.path.normpath(path)


def _network(value: str) -> Network | None:
    """The network of ``http://10.0.0.0/8``; None where the value names a host."""
    parts = urlsplit(value)
    if not parts.path[1:].isdigit():
        return None
    try:
        return ipaddress.ip_network(f"{parts.hostname}{parts.path}")
    except ValueError as error:
        raise UsageError(f"--allow {value}: no network: {error}") from error


def _host(value: str) -> tuple[str, int]:
    parts = urlsplit(value)
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise UsageError(f"--allow {value}: a web server is allowed whole: give {parts.scheme}://{parts.netloc}/")
    try:
        return origin(value)
    except ValueError as error:
        raise UsageError(f"--allow {value}: {error}: give http://HOST:PORT/ or http://NETWORK/BITS") from error


def _local_path(uri: str) -> str:
    """The path of a local URI. Raises NotAllowed for one that depends on the working directory."""
    path = _split(uri)[1]
    if not path.startswith("/"):
        raise NotAllowed("a local file is named by its absolute path, as file:///data/a.jpg")
    return path


def _as_on_disk(path: str) -> str:
    """The path in the form in which there is such a file.

    Archives of a Mac have theirs decomposed, and lists that Windows wrote have backslashes for slashes.
    """
    if "\0" in path or os.path.lexists(path):
        return path
    if "\\" in path and os.path.lexists(slashed := path.replace("\\", "/")):
        return slashed
    folder, slash, name = path.rpartition("/")
    forms = (folder + slash + unicodedata.normalize(form, name) for form in ("NFC", "NFD"))
    return next(filter(os.path.lexists, forms), path)


def _refuse_disguise(name: str) -> None:
    """Refuses a local name that is harmless as it stands, and would not be if anything decoded it."""
    if "::" in name and any(part in fsspec.available_protocols() or "://" in part for part in name.split("::")):
        raise NotAllowed("chains of file systems are not read of a list")
    for form in _decoded(name):
        if form.startswith("/") or _SCHEME.match(form) or ".." in form.split("/"):
            raise NotAllowed("it is a disguised path out of its folder")


def _refuse_steps(name: str) -> None:
    """Refuses steps upwards, plain or disguised: buckets have none, and some servers go by them."""
    if any(".." in form.split("/") for form in (name, *_decoded(name))):
        raise NotAllowed("a path with .. in it leads out of its folder")


def _decoded(name: str) -> Iterator[str]:
    """What comes of a name as percent signs and backslashes are taken for what they stand for in URLs and elsewhere.

    Raises NotAllowed for a name that is encoded again and again.
    """
    for _ in range(_DECODED):
        form, name = name, unquote(name).replace("\\", "/")
        if form == name:
            return
        yield name
    raise NotAllowed(f"its name is encoded {_DECODED} times or more")
