"""A directory of images with captions, with all that lies below it.

Captions come from sidecars (``a.txt`` or ``a.json`` beside ``a.jpg``), or from a list in the directory as in Hugging
Face's imagefolder: ``metadata.jsonl``, ``metadata.csv`` or ``metadata.parquet`` (the first there is), whose
``file_name`` is relative to the list. Such a list speaks for its directory and all below: **images there that it does
not name are no rows.** Hidden files and directories are skipped.
"""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from face0.errors import StorageError, UsageError
from face0.images.formats import IMAGE_EXTENSIONS
from face0.io.folder import Folder
from face0.io.listing import version
from face0.io.storage import join
from face0.readers import uri_list
from face0.readers.access import NOTHING_MORE, Access, NoFile, NotAllowed, is_local
from face0.readers.bounds import MAX_SIDECAR_BYTES
from face0.readers.captions import SIDECAR_EXTENSIONS, sidecar_caption
from face0.readers.failures import failed_row
from face0.readers.further_columns import sidecar_values
from face0.readers.samples import Columns, Sample, Split
from face0.readers.uris import split_extension
from face0.readers.values import NoText
from face0.readers.versions import of_names
from schemas.failures import Failure, Reason

METADATA_NAMES = ("metadata.jsonl", "metadata.csv", "metadata.parquet")
_log = logging.getLogger(__name__)


def plan(uri: str, size: int, columns: Columns, rows_per_task: int, access: Access = NOTHING_MORE) -> Iterator[Split]:
    """Splits of ``rows_per_task`` images by name, and those of the lists that there are.

    Raises:
        UsageError: there are no images and no lists, or a list lacks a column, or is a link out of the folder.
    """
    infos = _files(uri)
    for name in infos:
        if is_local(uri) and os.path.isdir(join(uri, name)):
            _log.warning("%s is a link to a folder, and not followed: name it as an input too", join(uri, name))
    lists = _metadata(infos)
    for name in lists.values():
        refusal = _refusal(uri, name, access)
        if refusal is not None:
            raise UsageError(f"{join(uri, name)} is not read: {refusal}")
    for folder, name in lists.items():
        if any(parent in lists for parent in _parents(folder)):
            continue
        size_of_list = int(infos[name].get("size") or 0)
        for split in uri_list.plan(join(uri, name), size_of_list, _list_columns(columns), rows_per_task):
            yield replace(split, reader="folder", version=version(infos[name]))
    free = sorted(name for name in infos if not any(parent in lists for parent in _parents(name)))
    if not lists and not any(split_extension(name)[1] in IMAGE_EXTENSIONS for name in free):
        raise UsageError(f"no images lie in {uri}: for a directory of tars or lists, name them: '{join(uri, '*.tar')}'")
    for split in _plan_names(free, uri, size, rows_per_task):
        yield replace(split, version=of_names(infos, split.names))


def read(split: Split, columns: Columns, access: Access = NOTHING_MORE) -> Iterator[Sample | Failure]:
    """Streams the rows of a split: captions are read here, images are left to be fetched."""
    if not split.names:
        yield from uri_list.read(split, _list_columns(columns))
        return
    for key, names in _by_key(split.names).items():
        yield from _rows(split.uri, key, names, columns, access)


def _files(uri: str) -> dict[str, dict[str, Any]]:
    """The files below a directory by their path relative to it, as fsspec lists them; hidden ones aside."""
    return {
        name: info
        for name, info in Folder(uri).file_infos().items()
        # A pipe or a device would hang who opens it. Links are reported as such, whatever they lead to.
        if (info["type"] == "file" or info.get("islink")) and not any(part.startswith(".") for part in name.split("/"))
    }


def _metadata(names: Iterable[str]) -> dict[str, str]:
    """The list of each directory that has one."""
    ordered = sorted(set(names))
    lists: dict[str, str] = {}
    for base in METADATA_NAMES:
        for name in ordered:
            folder, _, last = name.rpartition("/")
            if last == base:
                lists.setdefault(folder, name)
    return lists


def _parents(path: str) -> Iterator[str]:
    """``a/b/c`` -> ``a/b``, ``a``, and the root's empty name."""
    while path:
        path = path.rpartition("/")[0]
        yield path


def _list_columns(columns: Columns) -> Columns:
    return replace(columns, url=columns.url or "file_name")


def _plan_names(names: list[str], uri: str, size: int, rows_per_task: int) -> Iterator[Split]:
    """Splits that carry images and sidecars together, so that reading need not ask which there are."""
    chunk: list[str] = []
    first_row = rows = 0
    for group in _by_key(names).values():
        chunk += group
        rows += max(1, len(_images(group)))
        if rows >= rows_per_task:
            yield _named_split(uri, size, chunk, first_row, rows)
            chunk, first_row, rows = [], first_row + rows, 0
    if chunk:
        yield _named_split(uri, size, chunk, first_row, rows)


def _named_split(uri: str, size: int, names: list[str], first_row: int, rows: int) -> Split:
    return Split(
        reader="folder",
        uri=uri,
        size=size,
        start=first_row,
        stop=first_row + rows,
        first_row=first_row,
        rows=rows,
        names=tuple(names),
    )


def _by_key(names: Iterable[str]) -> dict[str, list[str]]:
    """Images and sidecars, grouped by their path without extension."""
    groups: dict[str, list[str]] = {}
    for name in names:
        key, extension = split_extension(name)
        if extension in IMAGE_EXTENSIONS or extension in SIDECAR_EXTENSIONS:
            groups.setdefault(key, []).append(name)
    return groups


def _images(names: list[str]) -> list[str]:
    return [name for name in names if split_extension(name)[1] in IMAGE_EXTENSIONS]


def _rows(uri: str, key: str, names: list[str], columns: Columns, access: Access) -> Iterator[Sample | Failure]:
    """The rows of one key: one for each image, or a Failure for captions without any."""
    images = _images(names)
    if not images:
        source = join(uri, names[0])
        yield failed_row(key, source, Reason.NO_IMAGE, f"no image lies beside {names[0]}")
        return
    sidecars = _read_sidecars(uri, key, [name for name in names if name not in images], access)
    for name in images:
        source = join(uri, name)
        if isinstance(sidecars, Failure):
            yield replace(sidecars, source=source)
            continue
        try:
            caption = sidecar_caption(sidecars, columns.caption, columns.encoding)
            values = sidecar_values(sidecars, columns.also, columns.encoding)
        except NoText as error:
            yield error.failure(key, source)
            continue
        except MemoryError:
            yield failed_row(key, source, Reason.OUT_OF_MEMORY, "the caption beside it does not fit into memory")
            continue
        yield Sample(key=key, source=source, caption=caption, uri=source, within=uri, values=values)


def _refusal(uri: str, name: str, access: Access) -> str | None:
    """Why a list in a folder is not read; None: it is."""
    try:
        if is_local(uri):
            access.local_file(join(uri, name), within=uri)
    except (NotAllowed, NoFile) as error:
        return str(error)
    return None


def _read_sidecars(uri: str, key: str, names: list[str], access: Access) -> Mapping[str, bytes] | Failure:
    """The contents of sidecars by extension, or why the row fails."""
    contents = {}
    for name in names:
        try:
            with access.open(join(uri, name), within=uri) as file:
                content = file.read(MAX_SIDECAR_BYTES + 1)
        except NotAllowed as error:
            return failed_row(key, join(uri, name), Reason.NOT_ALLOWED, f"{name} is not read: {error}")
        except NoFile as error:
            return failed_row(key, join(uri, name), Reason.UNSUPPORTED, f"{name} is not read: {error}")
        except StorageError:
            raise
        except OSError as error:  # it alone is gone, or not to be read
            return failed_row(key, join(uri, name), Reason.UNREADABLE_INPUT, f"{name} cannot be read: {error}")
        except MemoryError:
            return failed_row(key, join(uri, name), Reason.OUT_OF_MEMORY, f"{name} does not fit into memory")
        if len(content) > MAX_SIDECAR_BYTES:
            message = f"{name} has more than the {MAX_SIDECAR_BYTES} bytes that are read of a caption"
            return failed_row(key, join(uri, name), Reason.TOO_LARGE, message)
        contents[split_extension(name)[1]] = content
    return contents
