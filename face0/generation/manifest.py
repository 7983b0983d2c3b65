"""Manifests: which images are asked for. Made of prompts x faces x seeds, or read from Parquet, CSV or JSONL."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from face0.errors import UsageError
from face0.io.tables import as_type, read_rows
from face0.model.guidance import Guidance
from schemas.requests import MANIFEST

# Of a column that a manifest lacks, or that is null in a row. The prompt has none.
DEFAULTS: Mapping[str, Any] = {
    "negative_prompt": "",
    "face_id": "",
    "bare": False,
    "seed": 0,
    "w": Guidance.w,
    "c": Guidance.c,
    "a": Guidance.a,
    "guide_from": Guidance.start,
    "guide_to": Guidance.stop,
    "rescale": Guidance.rescale,
    "sigma": 0.0,
    "sampler": "ddim",
    "steps": 50,
    "width": 0,
    "height": 0,
    "label": "",
}


def cross(
    prompts: Sequence[str], faces: Sequence[str], seeds: Iterable[int], settings: Mapping[str, Any] | None = None
) -> pa.Table:
    """The manifest of every prompt with every face and every seed.

    Args:
        prompts: at least one.
        faces: ids of a bank; "" is no face.
        seeds: of the noise.
        settings: the same for all; DEFAULTS where they are silent.

    Raises:
        UsageError: there are no faces.
    """
    if not faces:
        raise UsageError("no face has a vector: look at the notes of the bank, and make one with other photographs")
    cells = list(product(prompts, faces, seeds))
    names = ("prompt", "face_id", "seed")
    columns = dict(zip(names, map(list, zip(*cells, strict=True)), strict=True))
    same = {name: [value] * len(cells) for name, value in {**DEFAULTS, **(settings or {})}.items()}
    return pa.table({**same, **columns}).select(MANIFEST.names).cast(MANIFEST)


def read_manifest(uri: str) -> pa.Table:
    """A manifest with the schema MANIFEST, whatever its format and however many of its columns are there.

    Raises:
        UsageError: it cannot be read, has no prompts or no rows, a column that is not known, or one of another type.
    """
    table = read_rows(uri)
    allowed = ", ".join(MANIFEST.names)
    if unknown := [name for name in table.column_names if name not in MANIFEST.names]:
        raise UsageError(f"{uri} has columns that a manifest does not: {', '.join(unknown)}; it may have {allowed}")
    if "prompt" not in table.column_names:
        raise UsageError(f"{uri} has no column prompt, only {', '.join(table.column_names)}; it may have {allowed}")
    if not table.num_rows:
        raise UsageError(f"{uri} has no rows: there is nothing to generate")
    if nulls := table["prompt"].null_count:
        raise UsageError(f"{uri} has {nulls:,} rows without a prompt: give each one, an empty text if that is meant")
    return pa.Table.from_arrays([_column(table, field, uri) for field in MANIFEST], schema=MANIFEST)


def _column(table: pa.Table, field: pa.Field, uri: str) -> pa.ChunkedArray | pa.Array:
    if field.name not in table.column_names:
        return pa.array([DEFAULTS[field.name]] * table.num_rows, field.type)
    try:
        column = as_type(table[field.name], field.type)
    except pa.ArrowException as error:
        raise UsageError(f"{uri}: the column {field.name} is not {field.type}: {error}") from error
    if field.name == "sampler":
        column = pc.if_else(pc.equal(column, ""), None, column)
    return column.fill_null(DEFAULTS[field.name]) if column.null_count else column
