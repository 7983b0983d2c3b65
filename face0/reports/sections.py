"""What the pages about a sweep share: its images in strips, its ledger, its requests, and files written together."""

import base64
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from face0.errors import UsageError
from face0.generation.plan import request_files, request_task
from face0.generation.results import Results, setting
from face0.io import storage
from face0.reports import html
from face0.reports.html import Html
from schemas.failures import Reason
from schemas.requests import SETTINGS

PAGE, SUMMARY, TABLE = "report.html", "summary.json", "measures.parquet"


def read_asked(renders: Results, columns: list[str]) -> pa.Table:
    """The requests of the committed tasks of an output of generate, rendered or failed, but for forgotten ones.

    Args:
        renders: the output folder.
        columns: of REQUESTS.

    Raises:
        UsageError: the folder has none.
    """
    tables = []
    for uri in request_files(renders.uri):
        with storage.open_uri(uri) as file:
            parquet = pq.ParquetFile(file)
            for i in range(parquet.num_row_groups):
                if request_task(f"requests/{uri.rpartition('/')[2]}", i).task_id in renders.tasks:
                    table = parquet.read_row_group(i, columns=[*columns, "reason"]).replace_schema_metadata()
                    forgotten = pc.equal(pc.fill_null(table["reason"], ""), str(Reason.FORGOTTEN))
                    tables.append(table.filter(pc.invert(forgotten)).select(columns))
    if not tables:
        raise UsageError(f"{renders.uri} has no requests/ of its tasks: give the whole --output of face0 generate")
    return pa.concat_tables(tables)


def sweep_files(renders: str) -> list[str]:
    """The URIs of what ``write_files`` has written beside an output of generate; none, if it is no sweep's.

    Args:
        renders: URI of the output of generate.
    """
    fs, path = storage.filesystem(renders)
    folder = path.rstrip("/").rpartition("/")[0]
    files = [f"{folder}/{name}" for name in (PAGE, SUMMARY, TABLE)]
    return [storage.full_uri(fs, file) for file in files] if all(fs.exists(file) for file in files) else []


def thumbnails(renders: Results, wanted: Collection[str]) -> dict[str, bytes]:
    """The thumbnails of some requests, those that have one, by request id."""
    ids = set(wanted)
    return {
        request: picture
        for batch in renders.batches(["request_id", "thumbnail"])
        for request, picture in zip(*(column.to_pylist() for column in batch.columns), strict=True)
        if picture is not None and request in ids
    }


def strip(pictures: Iterable[tuple[bytes, str]]) -> Html:
    """Thumbnails side by side, each with a text that says what it is."""
    images = "".join(
        f'<img src="data:image/jpeg;base64,{base64.b64encode(data).decode()}" alt="{html.escape(text)}" '
        f'title="{html.escape(text)}" loading="lazy">'
        for data, text in pictures
    )
    return Html(f'<div class="strip">{images}</div>')


def bullets(texts: Iterable[str]) -> Html:
    """Sentences as a list."""
    return Html("<ul>" + "".join(f"<li>{html.escape(text)}</li>" for text in texts) + "</ul>\n")


def ledger(output: str, renders: Results) -> Html:
    """The section that says where every request went, with a link to the images where they lie below the page."""
    counts = renders.ledger
    made = counts.read - counts.failed
    parts: list[Any] = [
        html.paragraph(f"requested {counts.read:,} = generated {made:,} + failed {counts.failed:,}"),
    ]
    if not renders.finished:
        parts.append(html.paragraph("Not finished: this is what was rendered so far.", kind="warning"))
    root, below = PurePosixPath(storage.absolute(output)), PurePosixPath(storage.absolute(renders.uri))
    if below.is_relative_to(root):
        link = Html(f'<a href="{html.escape(below.relative_to(root))}/{PAGE}">all images</a>')
        parts.append(html.paragraph("Look at ", link, "."))
    else:
        parts.append(html.paragraph(f"All images: {below}/{PAGE}"))
    return html.section("Ledger", *parts, name="ledger")


def write_files(output: str, page: str, summary: dict[str, Any], table: pa.Table) -> str:
    """Writes the page, the summary and the table, each whole; returns the URI of the page."""
    with storage.write_whole(output, TABLE) as file:
        pq.write_table(table, file, compression="zstd")
    with storage.write_whole(output, SUMMARY) as file:
        file.write(json.dumps(summary, indent=1, allow_nan=False).encode())
    with storage.write_whole(output, PAGE) as file:
        file.write(page.encode())
    storage.drop_partial(output)
    return storage.join(output, PAGE)


FAILURES_SHOWN = 200


VALUES_SHOWN = 20  # of a setting


def failures(results: Results) -> Html:
    """The section of failed requests."""
    if not results.ledger.failed:
        return html.section("Failures", html.paragraph("None."), name="failures")
    rows = results.failures(FAILURES_SHOWN).to_pylist()
    columns = ["reason", "message", "stage", "key", "source"]
    parts = [
        html.table(["reason", "requests"], ([reason, f"{count:,}"] for reason, count in results.reasons.items())),
        html.table(columns, ([row[name] for name in columns] for row in rows), text=range(len(columns))),
    ]
    if results.ledger.failed > len(rows):
        parts.append(html.paragraph(f"The first {len(rows):,}; all of them are in failures/.", kind="note"))
    return html.section("Failures", *parts, name="failures")


def configuration(results: Results, images: pa.Table) -> Html:
    """The section of the settings of the images (SETTINGS), of the job, and of versions."""
    settings = []
    for name in (field.name for field in SETTINGS if field.name not in ("prompt", "face_id")):
        values = sorted((setting(value.as_py()) or "(empty)" for value in pc.unique(images[name])), key=_natural)
        more = [f"... ({len(values):,} in all)"] if len(values) > VALUES_SHOWN else []
        settings.append((name, ", ".join([*values[:VALUES_SHOWN], *more])))
    parts = [
        Html("<h3>Of the images</h3>\n"),
        html.facts(settings),
        Html(f"<h3>Of the job {html.escape(results.job['job'])}</h3>\n"),
        html.facts(_flat(results.job["config"])),
        Html("<h3>Versions</h3>\n"),
        html.facts(sorted(results.job["library_versions"].items())),
    ]
    return html.section("Configuration", *parts, name="configuration", folded=True)


def _natural(text: str) -> list[tuple[int, str]]:
    """A key that sorts face-2 before face-10."""
    parts = re.split(r"([0-9]+)", text.casefold())
    return [(len(part.lstrip("0")), part.lstrip("0")) if i % 2 else (0, part) for i, part in enumerate(parts)]


def _flat(record: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in sorted(record.items()):
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", "" if value is None else setting(value)
