"""A directory of images with captions, with all that lies below it.

Captions come from sidecars (``a.txt``, ``a.jpg.txt`` or ``a.json`` beside ``a.jpg``; see ``face0.readers.parts``), or
from a list in the directory as in Hugging Face's imagefolder: ``metadata.jsonl``, ``metadata.csv``,
``metadata.parquet`` or ``metadata.tsv`` (the first there is), whose ``file_name`` is relative to the list. Such a list
speaks for its directory and all below: **images there that it does not name are no rows.** Hidden files and directories
are skipped. What is left out is told in one line.
"""

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from face0.errors import StorageError, UsageError
from face0.io.listing import version
from face0.io.storage import join
from face0.io.text import composed
from face0.readers import arrow_images, uri_list, webdataset
from face0.readers.access import NOTHING_MORE, Access, NoFile, NotAllowed, is_local
from face0.readers.bounds import MAX_SIDECAR_BYTES
from face0.readers.failures import failed_row, unread_image
from face0.readers.folder_files import FolderFiles, is_record, kinds, list_files, parents, refusal, tell_left_out
from face0.readers.foreign import ending_of
from face0.readers.further_columns import sidecar_values
from face0.readers.parts import RowFiles, caption_of, is_image, is_text_ending, is_unread, rows_of_key, split_caption
from face0.readers.samples import Columns, Sample, Split
from face0.readers.uris import split_extension
from face0.readers.values import NoText
from face0.readers.versions import of_names
from schemas.failures import Failure, Reason

METADATA_NAMES = ("metadata.jsonl", "metadata.csv", "metadata.parquet", "metadata.tsv")
# That are read by their own names
_CONTAINERS = {
    ending.removeprefix(".") for ending in (*webdataset.ENDINGS, *arrow_images.ENDINGS, *uri_list.ENDINGS, ".parquet")
}
_log = logging.getLogger(__name__)


def plan(uri: str, size: int, columns: Columns, rows_per_task: int, access: Access = NOTHING_MORE) -> Iterator[Split]:
    """Splits of ``rows_per_task`` images by name, and those of the lists that there are.

    Raises:
        UsageError: there are no images and no lists, or a list lacks a column, or is a link out of the folder.
    """
    files = list_files(uri, access)
    infos = files.infos
    lists = _metadata(infos)
    for name in lists.values():
        why = _refusal(uri, name, access)
        if why is not None:
            raise UsageError(f"{join(uri, name)} is not read: {why}")
    listed_rows = Counter[str]()
    for folder, name in lists.items():
        if any(parent in lists for parent in parents(folder)):
            continue
        size_of_list = int(infos[name].get("size") or 0)
        for split in uri_list.plan(join(uri, name), size_of_list, _list_columns(columns), rows_per_task):
            listed_rows[name] += split.rows or 0
            yield replace(split, reader="folder", version=version(infos[name]))
    free = [name for name in sorted(infos) if not any(parent in lists for parent in parents(name))]
    groups = _by_key(free, columns)
    if not lists and not files.refused and not any(is_image(name) for name in free):
        raise UsageError(_without_images(uri, files))
    # Those of a link are tasks of their own: that it is allowed later changes no other.
    for part in (files.own, *files.behind_links):
        of_part = {key: names for key, names in groups.items() if names[0] in part}
        for split in _plan_groups(of_part, uri, size, rows_per_task, columns):
            yield replace(split, version=of_names(infos, split.names))
    for name in files.refused:
        yield _named_split(uri, size, [name], 0, 1)
    _tell(uri, files, lists, listed_rows, groups, columns)


def read(split: Split, columns: Columns, access: Access = NOTHING_MORE) -> Iterator[Sample | Failure]:
    """Streams the rows of a split: captions are read here, images are left to be fetched."""
    if not split.names:
        yield from uri_list.read(split, _list_columns(columns))
        return
    groups = _by_key(split.names, columns)
    for key, names in groups.items():
        for row in rows_of_key(key, names, columns):
            yield _row(split.uri, row, names[0], columns, access)
    for name in split.names:
        if not groups and (why := refusal(split.uri, name, access)) is not None:
            message = f"{name} is a link to a folder, and not followed: {why}"
            yield failed_row(name, join(split.uri, name), Reason.NOT_ALLOWED, message)


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


def _list_columns(columns: Columns) -> Columns:
    return replace(columns, url=columns.url or "file_name")


def _by_key(names: Collection[str], columns: Columns) -> dict[str, list[str]]:
    """Images and captions, grouped by the path of the image without its extension."""
    images = {composed(name) for name in names if is_image(name)}
    groups: dict[str, list[str]] = {}
    keys: dict[str, str] = {}  # as they are written, by their composed form
    for name in names:
        if is_image(name):
            key = split_extension(name)[0]
        elif (split := split_caption(name, columns)) is not None:
            key = split_extension(split[0])[0] if composed(split[0]) in images else split[0]
        else:
            continue
        groups.setdefault(keys.setdefault(composed(key), key), []).append(name)
    stems = {split_extension(name)[0] for name in images}
    return {
        key: group
        for key, group in groups.items()
        if composed(key) in stems or not (is_record(group[0]) or any(stem in stems for stem in _shorter(composed(key))))
    }


def _shorter(path: str) -> Iterator[str]:
    """A path up to the last dot of its name, to the last but one, and so on: ``d/a.b.c``: ``d/a.b``, ``d/a``."""
    folder, slash, base = path.rpartition("/")
    while "." in base:
        base = base.rpartition(".")[0]
        yield folder + slash + base


def _plan_groups(
    groups: Mapping[str, list[str]], uri: str, size: int, rows_per_task: int, columns: Columns
) -> Iterator[Split]:
    """Splits that carry images and sidecars together, so that reading need not ask which there are."""
    chunk: list[str] = []
    first_row = rows = 0
    for key, group in groups.items():
        chunk += group
        rows += len(rows_of_key(key, group, columns))
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


def _row(uri: str, row: RowFiles, first: str, columns: Columns, access: Access) -> Sample | Failure:
    """A row, or what it failed of."""
    if row.image is None:
        first = next(iter(row.names), first)
        return failed_row(row.key, join(uri, first), Reason.NO_IMAGE, row.without_image(first))
    source = join(uri, row.image)
    if is_unread(row.image):
        return unread_image(row.key, source, row.image)
    sidecars = _read_sidecars(uri, row, access)
    if isinstance(sidecars, Failure):
        return replace(sidecars, source=source)
    try:
        caption = caption_of(sidecars, columns)
        values = sidecar_values(sidecars, columns.also, columns.encoding)
    except NoText as error:
        return error.failure(row.key, source)
    except MemoryError:
        return failed_row(row.key, source, Reason.OUT_OF_MEMORY, "the caption beside it does not fit into memory")
    hint = "" if caption else row.hint
    return Sample(
        key=row.key,
        source=source,
        caption=caption,
        uri=source,
        within=uri,
        values=values,
        others=row.others,
        hint=hint,
    )


def _refusal(uri: str, name: str, access: Access) -> str | None:
    """Why a list in a folder is not read; None: it is."""
    try:
        if is_local(uri):
            access.local_file(join(uri, name), within=uri)
    except (NotAllowed, NoFile) as error:
        return str(error)
    return None


def _read_sidecars(uri: str, row: RowFiles, access: Access) -> Mapping[str, bytes] | Failure:
    """The contents of sidecars by ending, or why the row fails."""
    contents = {}
    key = row.key
    for ending, name in row.sidecars.items():
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
        contents[ending] = content
    return contents


# --- What is told of the whole


def _without_images(uri: str, files: FolderFiles) -> str:
    """What lies in a folder without images, and what it should be named as."""
    endings = Counter(ending_of(name) for name in files.infos)
    for ending, count in endings.most_common():
        if ending in _CONTAINERS:
            is_deep = any("/" in name for name in files.infos if ending_of(name) == ending)
            pattern = join(uri, *(["**"] if is_deep else []), f"*.{ending}")
            return f"no images lie in {uri}, but {count:,} .{ending}: name the files: '{pattern}'"
    there = [*kinds(files.infos), *([f"{files.hidden:,} hidden files"] if files.hidden else [])]
    return f"no images lie in {uri}, but {'; '.join(there)}" if there else f"no images lie in {uri}, which is empty"


def _tell(
    uri: str,
    files: FolderFiles,
    lists: Mapping[str, str],
    listed_rows: Mapping[str, int],
    groups: Mapping[str, list[str]],
    columns: Columns,
) -> None:
    """Says what is left out, and what lies where captions are missing."""
    read = {name for names in groups.values() for name in names} | set(lists.values()) | set(files.refused)
    below = [name for name in files.infos if any(parent in lists for parent in parents(name))]
    notes = []
    for name, rows in listed_rows.items():
        folder = name.rpartition("/")[0]
        images = sum(is_image(path) and folder in parents(path) for path in below)
        if images > rows:
            notes.append(f"{images - rows:,} images that {name} does not name")
    governed = {name for name in below if is_image(name) or split_caption(name, columns) is not None}
    left = [name for name in files.infos if name not in read and name not in governed]
    second = [name for name in left if name.rpartition("/")[2] in METADATA_NAMES]
    notes += [f"{name} (beside {lists[name.rpartition('/')[0]]}, which is read)" for name in second[:3]]
    tell_left_out(uri, files, set(left) - set(second[:3]), notes)
    _tell_captions(uri, groups, left, columns)


def _tell_captions(uri: str, groups: Mapping[str, list[str]], left: Iterable[str], columns: Columns) -> None:
    """Says in one line which files lie beside images that have no caption."""
    without = {
        stem
        for key, names in groups.items()
        for row in rows_of_key(key, names, columns)
        if row.image is not None and not row.sidecars
        for stem in (key, row.image)
    }
    endings: Counter[str] = Counter()
    for name in left if without else ():
        stem = next((stem for stem in _shorter(name) if stem in without), name)
        if is_text_ending(ending := name[len(stem) + 1 :]):
            endings[ending] += 1
    for ending, count in endings.most_common(1):
        _log.warning(
            "%s: %s images have no caption that is known by its ending, and beside them lie .%s files: "
            "--caption-ending %s reads these as captions", uri, f"{count:,}", ending, ending,
        )  # fmt: skip
