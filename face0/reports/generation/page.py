"""The page about an output of generate: OUT/report.html, which needs no server, no network and no other software.

Up to EMBEDDED images have their thumbnails within the page. Beyond that they lie beside it, in scripts that the page
loads as they come into sight: a page opened from a disk may load scripts, and nothing else.
"""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup

from face0.errors import UsageError
from face0.evaluation import paper_tables
from face0.generation.results import Results, open_results
from face0.reports.formats import count_of, thousands
from face0.reports.generation.contact_sheet import contact_sheet, sheet_data
from face0.reports.generation.images import BARE, NO_FACE_GIVEN, face_names, read_images
from face0.reports.generation.measures import measures
from face0.reports.pages import PAGE, dumps_for_script, render, write_page
from face0.reports.sections import configuration, failures

FOLDER = "report"  # of thumbnails that are not in the page
EMBEDDED = 2000  # images whose thumbnails the page holds itself: about 15 MB


def write_report(uri: str) -> str:
    """Writes the report of an output folder, anew if there is one; returns the URI of the page.

    Also of a job that is not finished: the page tells.

    Raises:
        UsageError: the folder holds no output of generate.
    """
    return write_report_of(open_results(uri))


def write_report_of(results: Results) -> str:
    """Writes the report of results that are open already, see ``write_report``; returns the URI of the page."""
    output = results.folder
    output.remove_folder(FOLDER)
    embedded = results.rows <= EMBEDDED
    thumbnails: list[list[str]] = []

    def put(number: int, chunk: list[str]) -> None:
        if embedded:
            thumbnails.append(chunk)
        else:
            script = f"face0Thumbnails({number},{dumps_for_script(chunk)});\n"
            output.write_text(f"{FOLDER}/thumbs-{number:05d}.js", script)

    images = read_images(results, put)
    sheet, rows = sheet_data(images, None if embedded else FOLDER)
    write_page(
        output,
        f"Generated images: {output.name}",
        _sections(results, images),
        "generation/page.html",
        sheet=sheet,
        rows=rows,
        thumbnails=thumbnails,
    )
    if results.finished:  # else other writers may be at work
        output.drop_partial()
    return output.join(PAGE)


def _sections(results: Results, images: pa.Table) -> Iterator[Markup]:
    yield _overview(results, images)
    if images.num_rows:
        yield contact_sheet(images)
        yield measures(images)
        yield _paper(images)
    yield failures(results)
    yield configuration(results, images)


def _overview(results: Results, images: pa.Table) -> Markup:
    rows, faces_found = images.num_rows, images["faces_found"].to_numpy()
    tiles = [
        ("images", thousands(rows)),
        ("failed", thousands(results.ledger.failed)),
        ("prompts", thousands(len(pc.unique(images["prompt"])))),
        ("faces", thousands(len(set(face_names(images)) - {NO_FACE_GIVEN, BARE}))),
        ("seeds", thousands(len(pc.unique(images["seed"])))),
    ]
    if rows:
        tiles.append(("no face found", count_of(int((faces_found == 0).sum()), rows)))
        tiles.append(("several faces found", count_of(int((faces_found > 1).sum()), rows)))
    if images["flagged"].null_count < rows:
        tiles.append(("flagged", count_of(pc.sum(images["flagged"]).as_py(), rows)))
    cut = pc.sum(pc.greater(images["tokens_lost"], 0)).as_py()
    return render("generation/overview.html", results=results, tiles=tiles, cut=cut)


def _paper(images: pa.Table) -> Markup:
    try:
        tables = paper_tables.paper_tables(images)
    except UsageError as error:
        return render("generation/paper.html", error=error, by_label={}, notes=())
    by_label: dict[str, list[paper_tables.PaperRow]] = {}
    for row in tables.rows:
        by_label.setdefault(row.label, []).append(row)
    return render(
        "generation/paper.html",
        error=None,
        by_label=by_label,
        header=paper_tables.header,
        cells_of=paper_tables.cells_of,
        notes=paper_tables.notes(tables),
    )
