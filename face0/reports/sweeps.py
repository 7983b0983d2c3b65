"""The files of a report about a sweep, and what it reads of the sweep's images: requests and thumbnails."""

import base64
import json
from collections.abc import Collection, Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from markupsafe import Markup

from face0.errors import UsageError
from face0.generation.plan import request_files, request_task
from face0.generation.results import Results
from face0.io.folder import Folder
from face0.reports.data_card import write_sweep_card
from face0.reports.pages import PAGE, write_page
from schemas.failures import Reason

SUMMARY, TABLE = "summary.json", "measures.parquet"
RENDERS, DRAWN = "renders", "faces.parquet"  # beside them: the images, and the bank of faces that were drawn


def read_asked(renders: Results, columns: list[str]) -> pa.Table:
    """Reads the requests of the committed tasks of an output of generate, rendered or failed, but for forgotten ones.

    Args:
        renders: the output folder.
        columns: of REQUESTS.

    Raises:
        UsageError: the folder has none.
    """
    tables = []
    for name in request_files(renders.folder):
        with renders.folder.open(name) as file:
            parquet = pq.ParquetFile(file)
            for i in range(parquet.num_row_groups):
                if request_task(name, i).task_id in renders.tasks:
                    table = parquet.read_row_group(i, columns=[*columns, "reason"]).replace_schema_metadata()
                    forgotten = pc.equal(pc.fill_null(table["reason"], ""), str(Reason.FORGOTTEN))
                    tables.append(table.filter(pc.invert(forgotten)).select(columns))
    if not tables:
        raise UsageError(f"{renders.uri} has no requests/ of its tasks: give the whole --output of face0 generate")
    return pa.concat_tables(tables)


def read_thumbnails(renders: Results, wanted: Collection[str]) -> dict[str, str]:
    """Reads the thumbnails of some requests, those that have one: base64 by request id."""
    ids = set(wanted)
    return {
        request: base64.b64encode(picture).decode()
        for batch in renders.batches(["request_id", "thumbnail"])
        for request, picture in zip(*(column.to_pylist() for column in batch.columns), strict=True)
        if picture is not None and request in ids
    }


def write_files(output: str, title: str, sections: Iterable[Markup], summary: dict[str, Any], table: pa.Table) -> str:
    """Writes the table, the summary, the data card and the page, each whole; returns the URI of the page."""
    folder = Folder(output)
    with folder.write(TABLE) as file:
        pq.write_table(table, file, compression="zstd")
    folder.write_text(SUMMARY, json.dumps(summary, indent=1, allow_nan=False))
    write_sweep_card(folder, title)
    write_page(folder, title, sections)
    folder.drop_partial()
    return folder.join(PAGE)


def sweep_files(renders: str) -> list[str]:
    """Lists the URIs of what ``write_files`` has written beside an output of generate; none, if it is no sweep's.

    The table is written first and stands last in the list: while some of the files are there, it is, so that who is
    cut off as the files are removed, in this order, finds the others again.

    Args:
        renders: URI of the output of generate.
    """
    folder, _ = Folder.of_file(renders)
    if not folder.exists(TABLE):
        return []
    return [folder.join(name) for name in (PAGE, SUMMARY, TABLE) if folder.exists(name)]
