"""Inputs of captioned images: which reader reads what, how inputs are cut into tasks."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from face0.errors import StorageError, UsageError
from face0.io.retries import ANSWERS
from face0.io.secrets import public
from face0.io.storage import Listed, expand, is_folder, look
from face0.io.tables import json_remedy
from face0.readers import arrow_images, folder, parquet_images, uri_list, webdataset
from face0.readers.access import NOTHING_MORE, Access, is_web
from face0.readers.columns import find_image, find_url, is_text, known_image
from face0.readers.foreign import remedy
from face0.readers.own_output import refuse_own_output
from face0.readers.parquet_rows import read_footer
from face0.readers.samples import Columns, Reader, Sample, Split
from face0.readers.uris import name_of
from face0.readers.versions import is_unchanged
from face0.runtime.progress import tracked
from schemas.failures import Failure

READERS: dict[str, Reader] = {
    "webdataset": webdataset,
    "parquet_images": parquet_images,
    "arrow_images": arrow_images,
    "folder": folder,
    "uri_list": uri_list,
}


def plan(
    inputs: Sequence[str],
    columns: Columns,
    rows_per_task: int,
    access: Access = NOTHING_MORE,
    output: str | None = None,
) -> list[Split]:
    """Cuts the inputs, files and patterns, into tasks; a file that is matched twice is read once.

    Args:
        inputs: URIs, globs, patterns with braces.
        columns: which are read.
        rows_per_task: about so many, where an input can be cut.
        access: what links and lists in them may lead to.
        output: of the job, which must not lie among them.

    Raises:
        UsageError: nothing matches, an input cannot be read or is of no known kind, or a column is missing.
        StorageError: the storage of an input fails.
    """
    for pattern in inputs:
        _refuse_chain(pattern)
    files = {file.uri: file for pattern in inputs for file in expand(pattern)}
    _refuse_alike(files)
    if output is not None:
        refuse_own_output(inputs, files, output)
    listed = tracked(files.values(), "inputs looked at", len(files))
    return [split for file in listed for split in _plan_file(file, columns, rows_per_task, access)]


def _plan_file(file: Listed, columns: Columns, rows_per_task: int, access: Access) -> list[Split]:
    try:
        reader = _reader_of(file.uri, columns)
        if reader == "folder" and (saved := arrow_images.saved_files(file.uri, access)) is not None:
            return [split for uri in saved for split in _plan_file(_there(uri), columns, rows_per_task, access)]
        splits = list(READERS[reader].plan(file.uri, file.size, columns, rows_per_task, access))
    except ANSWERS as error:
        raise UsageError(f"{file.uri} cannot be read: {error}") from error
    if reader != "folder":  # which knows its files' versions
        splits = [replace(split, version=file.version) for split in splits]
    # What was read of these is not what their digest is of, if they changed in between.
    for split in {split.uri: split for split in splits if split.sha256}.values():
        if not is_unchanged(split):
            raise UsageError(f"{split.uri} changes while the job is planned: start it again once it stays as it is")
    return splits


def _there(uri: str) -> Listed:
    """A file that a saved data set names."""
    file = look(uri)
    if file is None:
        raise UsageError(f"{uri} is not there, which its data set names as one of its files")
    return file


def _refuse_chain(uri: str) -> None:
    """Raises UsageError for file systems within others, as ``zip://*.jpg::s3://bucket/a.zip``."""
    if uri.startswith("pipe:"):
        raise UsageError(
            f"{public(uri)} is a command, and none is run for its output: name the files, or a URI of them"
        )
    parts = uri.split("::")
    if len(parts) > 1 and all(part.lower().endswith(webdataset.ENDINGS) for part in parts):
        raise UsageError(f"{public(uri)} names several inputs: give each by itself, `{' '.join(map(public, parts))}`")
    scheme = uri.partition("://")[0].lower() if "://" in uri else ""
    chained = "::" in uri and not uri.startswith("/") and not os.path.lexists(uri)
    if not chained and scheme not in ("zip", "tar", "libarchive"):
        return
    wrapper, file = (uri.partition("::")[0].partition("://")[0].lower(), uri.rpartition("::")[2])
    if wrapper == "tar":
        how = f"name the tar itself, {public(file)}"
    elif wrapper in ("zip", "libarchive"):
        how = "unpack the archive, `unzip FILE -d FOLDER`, and name the folder"
    else:
        how = f"name the file itself, {public(file)}"
    raise UsageError(f"{public(uri)} is a file system within another, and no input: {how}")


def _refuse_alike(uris: Iterable[str]) -> None:
    """Raises UsageError for inputs that differ in passwords and signatures alone, and so would be one and the same."""
    seen: set[str] = set()
    for name in map(public, uris):
        if name in seen:
            raise UsageError(f"{name} is given twice, with different passwords, signatures or keys: give it once")
        seen.add(name)


def read(split: Split, columns: Columns, access: Access = NOTHING_MORE) -> Iterator[Sample | Failure]:
    """Streams the rows of a split. See ``Reader.read``.

    Raises:
        StorageError: the input cannot be read, whatever is in it: it is gone, forbidden, or its storage fails.
    """
    try:
        yield from READERS[split.reader].read(split, columns, access)
    except ANSWERS as error:
        raise StorageError(
            f"{split.uri} was there when the job was planned, and cannot be read now ({error}): "
            "bring it back, or take it out of the inputs"
        ) from error


def _reader_of(uri: str, columns: Columns) -> str:
    """The name of the reader for a file or a directory."""
    # First, for Spark names directories like files. On the web there are none, and asking fetches the page.
    if not is_web(uri) and is_folder(uri):
        return "folder"
    name = name_of(uri).lower()
    if name.endswith(webdataset.ENDINGS):
        return "webdataset"
    if name.endswith(uri_list.ENDINGS):
        return "uri_list"
    if name.endswith(arrow_images.ENDINGS):
        return "arrow_images"
    if name.endswith(".parquet"):
        return _parquet_reader(uri, columns)
    if name.endswith(".json"):
        raise UsageError(f"{uri} is {json_remedy(uri)}")
    if (what := remedy(name)) is not None:
        raise UsageError(f"{uri} is {what}")
    understood = ", ".join((*webdataset.ENDINGS, ".parquet", *arrow_images.ENDINGS, *uri_list.ENDINGS))
    raise UsageError(f"cannot tell what {uri} is: name a directory of images, or a file that ends in {understood}")


def _parquet_reader(uri: str, columns: Columns) -> str:
    """Images where there is a column of them, a list otherwise. What the caller named goes before conventions."""
    footer = read_footer(uri)
    if footer is None:
        # Reported by its one split.
        return "parquet_images"
    schema = footer[0]
    if columns.image in schema.names and is_text(schema.field(columns.image).type):
        return "uri_list"  # paths
    if columns.image in schema.names:
        find_image(schema, columns.image, uri)
        return "parquet_images"
    if columns.url in schema.names:
        return "uri_list"
    if columns.image is not None or (columns.url is None and known_image(schema) is not None):
        return "parquet_images"
    find_url(schema, columns.url, uri)
    return "uri_list"
