"""The page about an output of generate: OUT/report.html, which needs no server, no network and no other software.

Up to EMBEDDED images have their thumbnails within the page. Beyond that they lie beside it, in scripts that the page
loads as they come into sight: a page opened from a disk may load scripts, and nothing else.
"""

import base64
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from face0.errors import UsageError
from face0.evaluation import paper_tables
from face0.generation.results import Results, open_results, variants
from face0.io import storage
from face0.reports import html
from face0.reports.html import Html
from face0.reports.sections import _natural, configuration, failures
from schemas.requests import RESULTS

PAGE, FOLDER = "report.html", "report"
EMBEDDED = 2000  # images whose thumbnails the page holds itself: about 15 MB
CHUNK = 128  # thumbnails loaded together
ROWS = 2000  # images whose figures stand in one script element
PLOTTED = 25  # faces or prompts

LEFT_OUT = ("image_sha256", "box", "landmarks", "face_vector", "judge_vector")
COLUMNS = [name for name in RESULTS.names if name not in LEFT_OUT]
# Column, its name beneath an image and in full, what it is.
MEASURES = {
    "similarity": ("sim", "similarity", "cosine of the identity of the face made and of the face asked for"),
    "judge_similarity": ("judge", "judge's similarity", "the same by an encoder that had no part in making the image"),
    "text_alignment": ("text", "text alignment", "CLIP cosine of image and prompt"),
    "face_alignment": ("face", "face alignment", "CLIP cosine of the face made and the portrait"),
    "seconds": ("s", "seconds", "the image's share of its batch's time"),
}
NO_FACE_GIVEN, BARE = "(no face)", "(base model)"
SAFE_INTEGER = 2**53 - 1  # of JavaScript


def write_report(uri: str) -> str:
    """Writes the report of an output folder, anew if there is one; returns the URI of the page.

    Also of a job that is not finished: the page tells.

    Raises:
        UsageError: the folder holds no output of generate.
    """
    results = open_results(uri)
    _drop(storage.join(uri, FOLDER))
    embedded = results.rows <= EMBEDDED
    thumbnails: list[Html] = []
    batches: list[pa.RecordBatch] = []
    pictures = _streamed(results, batches)
    for number, chunk in enumerate(iter(lambda: list(itertools.islice(pictures, CHUNK)), [])):
        if embedded:
            thumbnails.append(html.data("thumbnails", chunk))
        else:
            _write(
                uri, f"{FOLDER}/thumbs-{number:05d}.js", f"face0Thumbnails({number},{html.dumps_for_script(chunk)});\n"
            )
    schema = pa.schema([RESULTS.field(name) for name in COLUMNS if name != "thumbnail"])
    images = pa.Table.from_batches(batches, schema=schema)
    _write(uri, PAGE, report(results, images, thumbnails))
    if results.finished:  # else other writers may be at work
        storage.drop_partial(uri)
    return storage.join(uri, PAGE)


def report(results: Results, images: pa.Table, thumbnails: Sequence[Html]) -> str:
    """The page.

    Args:
        results: the output folder.
        images: COLUMNS without the thumbnail, a row each.
        thumbnails: what the page holds of them itself; none: they are in FOLDER.
    """
    name = PurePosixPath(storage.filesystem(results.uri)[1]).name
    sections = [_overview(results, images)]
    scripts: list[Html] = []
    if images.num_rows:
        sections += [contact_sheet(images), _measures(images), _paper(images)]
        scripts = [*contact_sheet_data(images, bool(thumbnails)), *thumbnails, html.script("contact_sheet.js")]
    sections += [failures(results), configuration(results, images)]
    return html.page(f"Generated images: {name}", sections, scripts)


def contact_sheet(images: pa.Table) -> Html:
    """The section of prompts and faces with its filters; ``contact_sheet_data`` and its script fill it."""
    faces = sorted(set(_face_names(images)), key=_natural)
    labels = sorted(set(images["label"].to_pylist()) - {""})
    flagged = pc.any(images["flagged"]).as_py()
    measured = [name for name in MEASURES if images[name].null_count < images.num_rows]
    orders = [
        ("", "prompt and face"),
        *((name, MEASURES[name][1]) for name in measured),
        ("faces_found", "faces found"),
    ]
    kinds = [("", "any number"), ("none", "no face found"), ("one", "one face"), ("several", "several faces")]
    names = "".join(f'<option value="{html.escape(name)}"></option>' for name in faces) if len(faces) <= 500 else ""
    controls = [
        _labelled("Prompt holds", '<input type="search" name="prompt" autocomplete="off">', "wide"),
        _labelled("Face", '<input type="search" name="face" list="faces" autocomplete="off">'),
        _labelled("Label", _select("label", [("", "all"), *((label, label) for label in labels)])) if labels else "",
        _labelled("Faces in the image", _select("found", kinds)),
        _labelled("Flagged", _select("flagged", [("", "all"), ("yes", "flagged"), ("no", "not flagged")]))
        if flagged
        else "",
        _labelled("Similarity from", '<input type="number" name="least" min="-1" max="1" step="0.05">')
        if "similarity" in measured
        else "",
        _labelled("Order by", _select("order", orders)),
        _labelled("From", _select("direction", [("down", "highest"), ("up", "lowest")])),
        '<button type="reset">Reset</button>',
    ]
    return html.section(
        "Images",
        Html(f'<form class="filters">{"".join(controls)}<datalist id="faces">{names}</datalist></form>\n'),
        Html('<p class="note" id="count" aria-live="polite"></p>\n'),
        Html('<div class="sheet" tabindex="0" aria-label="contact sheet"><div class="area"></div></div>\n'),
        Html("<noscript><p class=warning>The images are shown by a script of this page: allow it.</p></noscript>\n"),
        name="images",
    )


def contact_sheet_data(images: pa.Table, embedded: bool) -> Iterator[Html]:
    """What the script of the contact sheet reads, as JSON: texts once each, figures by column."""
    measured = [name for name in MEASURES if images[name].null_count < images.num_rows]
    prompts, prompt_codes = _coded(images["prompt"].to_pylist(), str.casefold)
    faces, face_codes = _coded(_face_names(images), _natural)
    labels, label_codes = _coded(images["label"].to_pylist(), _natural)
    kinds, variant_codes = _coded(variants(images), _natural)
    yield html.data(
        "sheet",
        {
            "prompts": prompts,
            "faces": faces,
            "labels": labels,
            "variants": kinds,
            "measures": {name: MEASURES[name][0] for name in measured},
            "chunk": CHUNK,
            "folder": None if embedded else FOLDER,
        },
    )
    seeds = images["seed"].to_pylist()
    columns: dict[str, list[Any]] = {
        "id": images["request_id"].to_pylist(),
        "prompt": prompt_codes,
        "face": face_codes,
        "label": label_codes,
        "variant": variant_codes,
        "seed": [seed if abs(seed) <= SAFE_INTEGER else str(seed) for seed in seeds],
        "image": images["image"].to_pylist(),
        "found": images["faces_found"].to_pylist(),
        "flagged": images["flagged"].to_pylist(),
        "lost": images["tokens_lost"].to_pylist(),
        **{name: [_rounded(value) for value in images[name].to_pylist()] for name in measured},
    }
    for start in range(0, images.num_rows, ROWS):
        yield html.data("rows", {name: values[start : start + ROWS] for name, values in columns.items()})


def _overview(results: Results, images: pa.Table) -> Html:
    ledger = results.ledger
    found = images["faces_found"].to_numpy()
    given = [name for name in set(_face_names(images)) if name not in (NO_FACE_GIVEN, BARE)]
    shown: list[tuple[str, Any]] = [
        ("images", f"{images.num_rows:,}"),
        ("failed", f"{ledger.failed:,}"),
        ("prompts", f"{len(pc.unique(images['prompt'])):,}"),
        ("faces", f"{len(given):,}"),
        ("seeds", f"{len(pc.unique(images['seed'])):,}"),
    ]
    if images.num_rows:
        shown += [
            ("no face found", _share(int((found == 0).sum()), len(found))),
            ("several faces found", _share(int((found > 1).sum()), len(found))),
        ]
    if images["flagged"].null_count < images.num_rows:
        shown.append(("flagged", _share(pc.sum(images["flagged"]).as_py(), images.num_rows)))
    balance = f"requested {ledger.read:,} = generated {ledger.read - ledger.failed:,} + failed {ledger.failed:,}"
    parts: list[Html] = [html.tiles(shown), html.paragraph(balance)]
    if not results.finished:
        parts.append(
            html.paragraph("Not finished: this is what was committed so far; the same command goes on.", kind="warning")
        )
    if cut := pc.sum(pc.greater(images["tokens_lost"], 0)).as_py():
        parts.append(
            html.paragraph(f"{cut:,} images have a prompt that is too long: its end had no place.", kind="warning")
        )
    return html.section("Overview", *parts, name="overview")


def _measures(images: pa.Table) -> Html:
    parts: list[Any] = []
    lines = []
    labels = images["label"].to_pylist()
    for label in sorted(set(labels), key=_natural):
        chosen = images.filter(pc.equal(images["label"], label))
        for name in MEASURES:
            values = _numbers(chosen[name])
            if len(values):
                lines.append([label, MEASURES[name][1], f"{len(values):,}", *_described(values)])
    columns = ["label", "measure", "images", "mean", "deviation", "5 %", "median", "95 %"]
    if not any(labels):
        columns, lines = columns[1:], [line[1:] for line in lines]
    parts.append(html.table(columns, lines, text=(0, 1) if any(labels) else (0,)))
    judged = "judge_similarity" if images["judge_similarity"].null_count < images.num_rows else "similarity"
    for title, names in (("face", _face_names(images)), ("prompt", images["prompt"].to_pylist())):
        parts += _by(title, names, images, judged)
    parts.append(_glossary())
    return html.section("Measures", *parts, name="measures")


def _by(title: str, names: Sequence[str], images: pa.Table, measure: str) -> Iterator[Html]:
    """Plots over the groups of images that share a name: the measure, and how many have no face found."""
    groups: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        groups.setdefault(name, []).append(i)
    values = images[measure].cast(pa.float64()).to_numpy()
    missing = images["faces_found"].to_numpy() == 0
    rows = []
    for name, members in groups.items():
        some = values[members]
        if len(some := some[~np.isnan(some)]):
            low, high = np.quantile(some, (0.1, 0.9))
            rows.append(html.Interval(name=name, low=float(low), value=float(some.mean()), high=float(high)))
    if len(rows) > 1:
        rows.sort(key=lambda row: row.value)
        yield Html(f"<h3>{MEASURES[measure][1].capitalize()} by {title}, lowest first{_of(rows)}</h3>\n")
        yield html.interval_plot(rows[:PLOTTED])
        yield html.paragraph("Dot: mean of its images; line: the middle 80 % of them.", kind="note")
    shares = [(name, float(missing[members].mean())) for name, members in groups.items() if missing[members].any()]
    if shares and len(groups) > 1:
        shares.sort(key=lambda row: (-row[1], row[0]))
        yield Html(f"<h3>Share of images without a face found, by {title}{_of(shares)}</h3>\n")
        yield html.bar_plot(shares[:PLOTTED], high=1.0)


def _glossary() -> Html:
    terms = html.facts((full, f"{about}.") for _, full, about in MEASURES.values())
    note = html.paragraph("Nothing is counted where it cannot be had: a face that was not found is never a zero.")
    return Html(f"<details><summary>What the measures are</summary>{terms}{note}</details>\n")


def _paper(images: pa.Table) -> Html:
    parts: list[Any] = []
    try:
        tables = paper_tables.paper_tables(images)
        for label in dict.fromkeys(row.label for row in tables.rows):
            rows = [row for row in tables.rows if row.label == label]
            if label:
                parts.append(Html(f"<h3>{html.escape(label)}</h3>\n"))
            lines = [[row.variant or "all", *paper_tables.cells_of(row)] for row in rows]
            parts.append(html.table(["settings", *paper_tables.header(rows)], lines))
        parts += [html.paragraph(note, kind="note") for note in paper_tables.notes(tables)]
    except UsageError as error:
        parts = [html.paragraph(f"Not to be had: {error}.", kind="note")]
    return html.section("The paper's tables", *parts, name="paper")


def _streamed(results: Results, kept: list[pa.RecordBatch]) -> Iterator[str]:
    """The thumbnails in base64, one by one; empty where there is none. What else there is of a row goes to ``kept``."""
    for batch in results.batches(COLUMNS):
        kept.append(batch.drop_columns(["thumbnail"]))
        for picture in batch["thumbnail"]:
            yield base64.b64encode(picture.as_py() or b"").decode()


def _face_names(images: pa.Table) -> list[str]:
    rows = zip(images["face_id"].to_pylist(), images["bare"].to_pylist(), strict=True)
    return [BARE if bare else face or NO_FACE_GIVEN for face, bare in rows]


def _coded(values: Sequence[str], order: Callable[[str], Any]) -> tuple[list[str], list[int]]:
    """Distinct values in order, and the place of each value among them."""
    distinct = sorted(set(values), key=lambda value: (order(value), value))
    places = {value: place for place, value in enumerate(distinct)}
    return distinct, [places[value] for value in values]


def _numbers(column: pa.ChunkedArray) -> np.ndarray:
    return column.drop_null().cast(pa.float64()).to_numpy()


def _described(values: np.ndarray) -> list[str]:
    deviation = f"{values.std(ddof=1):.3f}" if len(values) > 1 else ""
    low, median, high = np.quantile(values, (0.05, 0.5, 0.95))
    return [f"{values.mean():.3f}", deviation, *(f"{value:.3f}" for value in (low, median, high))]


def _rounded(value: float | None) -> float | None:
    return round(value, 3) if value is not None and math.isfinite(value) else None


def _share(count: int, total: int) -> str:
    return f"{count:,} ({100 * count / total:.0f} %)" if count else "0"


def _of(rows: Sequence[Any]) -> str:
    return f" ({PLOTTED} of {len(rows):,})" if len(rows) > PLOTTED else ""


def _labelled(name: str, control: str, kind: str = "") -> str:
    return f"<label{f' class={kind}' if kind else ''}>{html.escape(name)}{control}</label>"


def _select(name: str, options: Iterable[tuple[str, str]]) -> str:
    inner = "".join(f'<option value="{html.escape(value)}">{html.escape(text)}</option>' for value, text in options)
    return f'<select name="{name}">{inner}</select>'


def _write(uri: str, name: str, text: str) -> None:
    with storage.write_whole(uri, name) as file:
        file.write(text.encode())


def _drop(uri: str) -> None:
    fs, path = storage.filesystem(uri)
    if fs.exists(path):
        fs.rm(path, recursive=True)
