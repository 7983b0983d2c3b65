"""Whether an input is still what was planned: by the words of its file system, or by its bytes where they are known."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from face0.errors import UsageError
from face0.io import listing, storage
from face0.io.folder import Folder
from face0.readers.samples import Split
from face0.runtime.concurrency import ordered_map

_LOOKS = 16  # at a time


def of_names(infos: Mapping[str, Mapping[str, Any] | None], names: Sequence[str]) -> str:
    """The version of some files of a folder: a digest of what the file system says of each, or of its absence."""
    said = [[name, (info := infos[name]) and info.get("size"), listing.version(info)] for name in names]
    return f"sha256 {hashlib.sha256(json.dumps(said).encode()).hexdigest()}"


def is_unchanged(split: Split) -> bool:
    """Whether the file system says of a split's files what it said when the split was planned."""
    if split.names:
        folder = Folder(split.uri)
        infos = ordered_map(folder.info, split.names, _LOOKS, 4 * _LOOKS)
        return split.version in ("", of_names(dict(zip(split.names, infos, strict=True)), split.names))
    there = storage.look(split.uri)
    return there is not None and there.size == split.size and split.version in ("", there.version)


def refuse_changed(split: Split) -> None:
    """Looks at a split's files again, after they were read.

    Raises:
        UsageError: they are not those that were planned, so that what was read of them must not be committed.
    """
    if is_unchanged(split) or (split.sha256 and storage.look(split.uri) and storage.sha256(split.uri) == split.sha256):
        return
    raise UsageError(
        f"{split.uri} has changed since the job was planned, and nothing of what was read of it now is kept: "
        "restore it, or leave it as it is, and run the same command again"
    )
