"""The contact sheet: its controls, and what its script (``web/contact_sheet.js``) reads, as JSON."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup

from face0.generation.results import variants
from face0.reports.formats import natural_key
from face0.reports.generation.images import CHUNK, MEASURES, face_names, measured
from face0.reports.pages import render

ROWS = 2000  # images whose figures stand in one script element
FACES_SUGGESTED = 500  # at most
SAFE_INTEGER = 2**53 - 1  # of JavaScript


def contact_sheet(images: pa.Table) -> Markup:
    """The section of prompts and faces with its filters, which the script fills."""
    faces = sorted(set(face_names(images)), key=natural_key)
    return render(
        "generation/contact_sheet.html",
        faces=faces if len(faces) <= FACES_SUGGESTED else [],
        labels=sorted(set(images["label"].to_pylist()) - {""}),
        flagged=pc.any(images["flagged"]).as_py(),
        measures={name: MEASURES[name][1] for name in measured(images)},
    )


def sheet_data(images: pa.Table, folder: str | None) -> tuple[dict[str, Any], Iterator[dict[str, list[Any]]]]:
    """The texts of all images, once each in the order of the sheet, and their rows, which name texts by their places.

    Args:
        images: of ``read_images``.
        folder: of the thumbnails, as the page finds it; None: they are in the page.

    Returns:
        the texts, and ROWS images at a time by column.
    """
    prompts, prompt_codes = _coded(images["prompt"].to_pylist(), str.casefold)
    faces, face_codes = _coded(face_names(images), natural_key)
    labels, label_codes = _coded(images["label"].to_pylist(), natural_key)
    kinds, kind_codes = _coded(variants(images), natural_key)
    texts = {
        "prompts": prompts,
        "faces": faces,
        "labels": labels,
        "variants": kinds,
        "measures": {name: MEASURES[name][0] for name in measured(images)},
        "chunk": CHUNK,
        "folder": folder,
    }
    seeds = images["seed"].to_pylist()
    columns: dict[str, list[Any]] = {
        "id": images["request_id"].to_pylist(),
        "prompt": prompt_codes,
        "face": face_codes,
        "label": label_codes,
        "variant": kind_codes,
        "seed": [seed if abs(seed) <= SAFE_INTEGER else str(seed) for seed in seeds],
        "image": images["image"].to_pylist(),
        "found": images["faces_found"].to_pylist(),
        "flagged": images["flagged"].to_pylist(),
        "lost": images["tokens_lost"].to_pylist(),
        **{name: [_rounded(value) for value in images[name].to_pylist()] for name in measured(images)},
    }
    starts = range(0, images.num_rows, ROWS)
    return texts, ({name: values[start : start + ROWS] for name, values in columns.items()} for start in starts)


def _coded(values: Sequence[str], order: Callable[[str], Any]) -> tuple[list[str], list[int]]:
    """Distinct values in order, and the place of each value among them."""
    distinct = sorted(set(values), key=lambda value: (order(value), value))
    places = {value: place for place, value in enumerate(distinct)}
    return distinct, [places[value] for value in values]


def _rounded(value: float | None) -> float | None:
    return round(value, 3) if value is not None and math.isfinite(value) else None
