"""Arrow's IPC files with the bytes of images in them, as Hugging Face's ``save_to_disk`` writes them.

One file is one split.
"""

import json
from collections.abc import Iterator
from typing import Any

from face0.errors import UsageError
from face0.io.folder import Folder, lies_within
from face0.io.storage import STORAGE_ERRORS, join, open_uri
from face0.readers.access import NOTHING_MORE, Access, NoFile, NotAllowed, is_local
from face0.readers.arrow_stream import MAGIC, open_batches
from face0.readers.bounds import MAX_SIDECAR_BYTES
from face0.readers.columns import find_also, known_image
from face0.readers.failures import unreadable_rest
from face0.readers.parquet_images import batch_rows, find_columns
from face0.readers.parquet_rows import UNREADABLE
from face0.readers.samples import Columns, Sample, Split
from schemas.failures import Failure

ENDINGS = (".arrow", ".feather")

_BATCH_ROWS = 64  # made into Python's bytes at a time


def plan(
    uri: str,
    size: int,
    columns: Columns,
    rows_per_task: int,
    access: Access = NOTHING_MORE,
) -> Iterator[Split]:
    """One split: the whole file.

    Raises:
        UsageError: a column is missing.
    """
    try:
        with open_batches(uri) as reader:
            schema = reader.schema
    except STORAGE_ERRORS:
        raise
    except UNREADABLE:
        _refuse_other_forms(uri)
        schema = None  # for read() to report
    if schema is not None:
        if columns.image is None and known_image(schema) is None:
            raise UsageError(
                f"no column of {uri} is known to hold images: name it with --image-column; of a list of URIs make "
                f"Parquet, `Dataset.to_parquet`; there are: {', '.join(schema.names)}"
            )
        find_columns(schema, columns, uri)
        find_also(schema, columns.also, uri)
    yield Split(reader="arrow_images", uri=uri, size=size)


def _refuse_other_forms(uri: str) -> None:
    """Raises UsageError for a file that is whole, and has no stream in it."""
    with open_uri(uri) as file:
        head = file.read(len(MAGIC))
        last = head
        while chunk := file.read(2**20):
            last = (last + chunk)[-len(MAGIC) :]
    if head.startswith(b"FEA1"):
        raise UsageError(
            f"{uri} is of Feather's first version, which is not read: `pandas.read_feather(FILE)` reads it, "
            "and `.to_parquet(...)` makes Parquet of it"
        )
    if head == MAGIC and last.endswith(b"ARROW1"):
        raise UsageError(
            f"{uri} has no stream of record batches, as polars writes it: "
            "`polars.read_ipc(FILE).write_parquet(...)` makes Parquet of it"
        )


def read(split: Split, columns: Columns, access: Access = NOTHING_MORE) -> Iterator[Sample | Failure]:
    """Streams the rows of a file, a record batch at a time. Where it is corrupt, one Failure stands for the rest."""
    row = 0
    try:
        with open_batches(split.uri) as reader:
            for batch in reader:
                batch.validate(full=True)
                for start in range(0, len(batch), _BATCH_ROWS):
                    part = batch.slice(start, _BATCH_ROWS)
                    yield from batch_rows(part, row, split.uri, columns)
                    row += len(part)
    except STORAGE_ERRORS:
        raise
    except (*UNREADABLE, MemoryError) as error:
        yield unreadable_rest(split.uri, error, part=f"rows from {row}")


def saved_files(uri: str, access: Access) -> list[str] | None:
    """The Arrow files of a folder that ``save_to_disk`` wrote, as URIs; None: it is no such folder.

    Raises:
        UsageError: what its records name is no file of the folder.
    """
    folder = Folder(uri)
    parts = _record(folder, "dataset_dict.json").get("splits")
    names = []
    for part in parts if isinstance(parts, list) else [""]:
        prefix = f"{part}/" if part else ""
        if not isinstance(part, str) or not lies_within(part):
            raise UsageError(f"{uri}/dataset_dict.json names {part!r}, which is no folder below it")
        files = _record(folder, f"{prefix}state.json").get("_data_files")
        names += [f"{prefix}{file.get('filename')}" for file in files or [] if isinstance(file, dict)]
    for name in names:
        if not lies_within(name) or not name.endswith(ENDINGS):
            raise UsageError(f"{uri} names {name!r} as a file of its data set, which is no Arrow file below it")
        try:
            if is_local(uri):
                access.local_file(join(uri, name), within=uri)
        except (NotAllowed, NoFile) as error:
            raise UsageError(f"{join(uri, name)} is not read: {error}") from error
    return [join(uri, name) for name in names] or None


def _record(folder: Folder, name: str) -> dict[str, Any]:
    """A JSON object of a folder; empty, if there is none."""
    info = folder.info(name)
    if info is None or info.get("type") != "file" or int(info.get("size") or 0) > MAX_SIDECAR_BYTES:
        return {}
    try:
        value = json.loads(folder.read(name))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
