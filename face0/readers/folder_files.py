"""The files of a folder of images: those behind links to folders, too; and what is left out, counted and named."""

import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from face0.io.folder import Folder
from face0.io.storage import join
from face0.readers.access import Access, NotAllowed, is_local, lies_below
from face0.readers.foreign import remedy
from face0.readers.uris import split_extension

Infos = Mapping[str, Mapping[str, Any]]

_NAMED = 3  # files of a kind that are named one by one
_KINDS = 8  # endings that are counted one by one
_CLUTTER = frozenset({"Thumbs.db", "desktop.ini"})
_RECORDS = re.compile(
    r"""(\d+_stats|dataset_infos?|dataset_dict|state|index|meta_\w+|metadata|config|(\w+_)?annotations|_annotations\.\w+
    |(captions|instances|person_keypoints)(_\w+)?|captions?|labels?)\.json
    |(readme|licen[cs]e|requirements|classes|labels|captions|prompts)\.txt""",
    re.IGNORECASE | re.VERBOSE,
)

_log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class FolderFiles:
    """The files below a folder, by their path relative to it.

    Attributes:
        own: those that lie there, and what fsspec says of each.
        behind_links: those behind each link to a folder that is followed.
        refused: links to folders that may not be followed.
        repeated: how many links lead to folders that are read anyway.
        hidden: how many files are hidden, or lie in a hidden folder.
        special: how many are pipes, sockets or devices.
    """

    own: Infos = field(default_factory=dict)
    behind_links: list[Infos] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    repeated: int = 0
    hidden: int = 0
    special: int = 0

    @property
    def infos(self) -> dict[str, Mapping[str, Any]]:
        """What fsspec says of each file and refused link."""
        return {name: info for part in (self.own, *self.behind_links) for name, info in part.items()}


def list_files(uri: str, access: Access) -> FolderFiles:
    """Lists a folder. Links to folders are followed where they lead below the folder or to what is allowed.

    Each folder is read once, however many links lead there.
    """
    files = FolderFiles()
    links = _sort(uri, Folder(uri).file_infos(), files)
    read = [os.path.realpath(uri)] if is_local(uri) else []
    while links:
        name = links.pop(0)
        real = os.path.realpath(join(uri, name))
        if lies_below(real, read):
            files.repeated += 1
            continue
        try:
            access.local_folder(join(uri, name), within=uri)
        except NotAllowed:
            files.refused.append(name)
            continue
        infos = {
            f"{name}/{below}": info
            for below, info in Folder(join(uri, name)).file_infos().items()
            if not lies_below(os.path.realpath(os.path.dirname(join(uri, name, below))), read)
        }
        read.append(real)
        behind = FolderFiles()
        links += _sort(uri, infos, behind)
        files.behind_links.append(behind.own)
        files.hidden, files.special = files.hidden + behind.hidden, files.special + behind.special
    return files


def refusal(uri: str, name: str, access: Access) -> str | None:
    """Why a link to a folder is not followed; None: it is, or it is none."""
    try:
        if is_local(uri) and os.path.isdir(join(uri, name)):
            access.local_folder(join(uri, name), within=uri)
    except NotAllowed as error:
        return str(error)
    return None


def is_record(name: str) -> bool:
    """Whether a file is what programs leave beside data sets, and no caption."""
    return _RECORDS.fullmatch(name.rpartition("/")[2]) is not None


def tell_left_out(uri: str, files: FolderFiles, left: Iterable[str], notes: Iterable[str]) -> None:
    """Says in one line of the log what is left out of a folder.

    Args:
        uri: of the folder.
        files: that lie there.
        left: names of those that are not read.
        notes: what else there is to say.
    """
    parts = [*notes, *kinds(left)]
    if files.hidden:
        parts.append(f"{files.hidden:,} hidden")
    if files.special:
        parts.append(f"{files.special:,} pipes or devices")
    if files.repeated:
        parts.append(f"{files.repeated:,} links to folders that are read anyway")
    if parts:
        _log.info("%s: left out: %s", uri, "; ".join(parts))


def kinds(names: Iterable[str]) -> list[str]:
    """Names of files by their ending, in words: few are named, many counted."""
    by_ending: dict[str, list[str]] = {}
    for name in sorted(names):
        if name.rpartition("/")[2] not in _CLUTTER:
            ending = split_extension(name)[1]
            by_ending.setdefault(f".{ending}" if ending else "without an ending", []).append(name)
    largest = sorted(by_ending, key=lambda ending: (-len(by_ending[ending]), ending))
    lines = []
    for ending in largest[:_KINDS]:
        those = by_ending[ending]
        words = ", ".join(those) if len(those) <= _NAMED else f"{len(those):,} {ending}"
        how = remedy(those[0])
        lines.append(f"{words} ({how})" if how else words)
    if rest := sum(len(by_ending[ending]) for ending in largest[_KINDS:]):
        lines.append(f"{rest:,} of other kinds")
    return lines


def _sort(uri: str, infos: Infos, files: FolderFiles) -> list[str]:
    """Puts files where they belong; returns the links to folders."""
    own, links = {}, []
    for name, info in infos.items():
        if any(part.startswith(".") for part in name.split("/")):
            files.hidden += name.rpartition("/")[2] != ".DS_Store"
        elif info.get("islink") and is_local(uri) and os.path.isdir(join(uri, name)):
            links.append(name)
        # A pipe or a device would hang who opens it. Links are reported as such, whatever they lead to.
        elif info["type"] == "file" or info.get("islink"):
            own[name] = info
        else:
            files.special += 1
    files.own = own
    return sorted(links)


def parents(path: str) -> Iterator[str]:
    """``a/b/c`` -> ``a/b``, ``a``, and the root's empty name."""
    while path:
        path = path.rpartition("/")[0]
        yield path
