"""The files of a report about a sweep, and the thumbnails of the sweep's images."""

import base64
import json
from collections.abc import Collection, Iterable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from markupsafe import Markup

from face0.generation.results import Results
from face0.io.folder import Folder
from face0.reports.data_card import write_sweep_card
from face0.reports.pages import PAGE, write_page

SUMMARY, TABLE = "summary.json", "measures.parquet"
RENDERS, DRAWN = "renders", "faces.parquet"  # beside them: the images, and the bank of faces that were drawn


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
