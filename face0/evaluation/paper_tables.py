"""The paper's tables 1 and 2 from results: text, face, overall, and the best of N seeds, with their spread.

text     CLIP cosine of image and prompt
face     CLIP cosine of the largest face of the image and the face given; where no face is found see ``MissingFace``
overall  their sum, per image
best     of the images of one face and one prompt, which differ in their seed, the one with the best overall
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from face0.errors import UsageError
from face0.generation.results import variants
from schemas.measures import Unmeasured
from schemas.requests import LABEL, SETTINGS

VERSION = 1  # of the tables as JSON
REQUEST_COLUMNS = ["request_id", *(field.name for field in SETTINGS), LABEL.name]
COLUMNS = [*REQUEST_COLUMNS, "faces_found", "text_alignment", "face_alignment"]
MEASURES = ("text", "face", "overall", "best")


class MissingFace(StrEnum):
    """What an image counts in which no face was found."""

    ZERO = "zero"  # its face alignment is 0: the paper's convention
    EXCLUDE = "exclude"  # it is left out of all four measures


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A measure over identities.

    Each identity's images are averaged first (for ``best``: its prompts), so that every identity weighs the same,
    however many images it has.

    Attributes:
        mean: of the identities' means; None: nothing counts.
        std: sample standard deviation (n - 1) of the identities' means; None for a single identity.
    """

    mean: float | None
    std: float | None


@dataclass(frozen=True, kw_only=True)
class PaperRow:
    """A line of a table: the images that share a label and, if the sweep was over more, the other settings.

    Attributes:
        label: of the manifest; the paper has "synthetic" and "LFW".
        variant: the other settings in words; empty where there is one set only.
        identities: that count.
        prompts: that count.
        seeds: fewest and most images of one face and one prompt.
        images: that count.
        no_face: images in which no face was found, counted as 0 or left out.
        figures: by MEASURES.
        reason: why they have no value; None: they have.
    """

    label: str
    variant: str
    identities: int
    prompts: int
    seeds: tuple[int, int]
    images: int
    no_face: int
    figures: Mapping[str, Figure]
    reason: Unmeasured | None = None


@dataclass(frozen=True, kw_only=True)
class PaperTables:
    """The lines, by label and variant in alphabetical order, and what is not in them.

    Attributes:
        missing_face: what an image counts in which no face was found.
        rows: the lines.
        without_face: images for which no face was given.
        without_portrait: faces left out: the bank has no portrait of them to compare with.
    """

    missing_face: MissingFace
    rows: Sequence[PaperRow]
    without_face: int
    without_portrait: Sequence[str]

    def to_dict(self) -> dict[str, Any]:
        """The tables as JSON values."""
        return {"version": VERSION, **asdict(self)}


def paper_tables(
    results: pa.Table, missing_face: MissingFace = MissingFace.ZERO, asked: pa.Table | None = None
) -> PaperTables:
    """Computes the tables, whatever the identities, prompts and seeds are.

    Args:
        results: the COLUMNS of RESULTS, a row for each image.
        missing_face: what an image counts in which no face was found.
        asked: REQUEST_COLUMNS of all that was asked for, so that a label has its row though all its requests failed;
            None: only those of the results have.

    Raises:
        UsageError: the images were not measured by CLIP, or none of them counts.
    """
    if unmeasured := results["text_alignment"].null_count:
        raise UsageError(
            f"{unmeasured:,} of {results.num_rows:,} images have no text_alignment: they were not measured by CLIP; "
            "render them by face0 generate --clip FOLDER (a CLIP model)"
        )
    given = results.filter(_has_face(results))
    if not given.num_rows:
        raise UsageError(
            f"none of the {results.num_rows:,} images was given a face: the paper's tables are about faces"
        )
    counted, without_portrait = _with_portrait(given)
    if not counted.num_rows:
        raise UsageError(
            "no image has a face_alignment: give face0 generate a bank with portraits, as face0 faces from-photos makes"
        )
    if asked is None:
        words = variants(counted)
        kinds = set(zip(counted["label"].to_pylist(), words, strict=True))
    else:
        asked = _known(asked.filter(_has_face(asked)), without_portrait)
        of_request = dict(zip(asked["request_id"].to_pylist(), variants(asked), strict=True))
        words = [of_request[request] for request in counted["request_id"].to_pylist()]
        kinds = set(zip(asked["label"].to_pylist(), of_request.values(), strict=True))
    counted = counted.append_column("variant", pa.array(words, pa.string()))
    rows = [_row(_of(counted, label, variant), label, variant, missing_face) for label, variant in sorted(kinds)]
    if all(row.reason == Unmeasured.NO_FACE for row in rows):
        raise UsageError(
            f"no face was found in any of the {counted.num_rows:,} images: nothing is left to average; count them as "
            "0 with --missing-face zero"
        )
    return PaperTables(
        missing_face=missing_face,
        rows=rows,
        without_face=results.num_rows - given.num_rows,
        without_portrait=without_portrait,
    )


def as_text(tables: PaperTables) -> str:
    """The tables for a terminal, one for each label, and beneath them what is not in them."""
    parts = []
    for label in dict.fromkeys(row.label for row in tables.rows):
        rows = [row for row in tables.rows if row.label == label]
        cells = [["", *header(rows)], *([row.variant, *cells_of(row)] for row in rows)]
        if not any(row.variant for row in rows):
            cells = [line[1:] for line in cells]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]
        parts.append("\n".join([*([label] if label else []), *lines]))
    return "\n\n".join([*parts, "\n".join(notes(tables))])


def header(rows: Sequence[PaperRow]) -> list[str]:
    """The names of the columns of ``cells_of`` for the rows of one table."""
    seeds = span(min(row.seeds[0] for row in rows), max(row.seeds[1] for row in rows))
    return ["text", "face", "overall", f"best of {seeds}", "identities", "prompts", "images", "no face"]


def cells_of(row: PaperRow) -> list[str]:
    """A row as it is printed."""
    figures = [
        "-" if figure.mean is None else f"{figure.mean:.2f}" + ("" if figure.std is None else f" ± {figure.std:.2f}")
        for figure in (row.figures[name] for name in MEASURES)
    ]
    return [*figures, *(f"{count:,}" for count in (row.identities, row.prompts, row.images, row.no_face))]


def notes(tables: PaperTables) -> list[str]:
    """What a reader must know of the figures, a sentence each."""
    handled = {MissingFace.ZERO: "counts 0 as face alignment", MissingFace.EXCLUDE: "is left out"}
    lines = [
        f"{' '.join([row.label, row.variant]).strip()}: {row.reason}." for row in tables.rows if row.reason is not None
    ]
    lines += [f"±: standard deviation over identities. An image without a face found {handled[tables.missing_face]}."]
    if tables.without_face:
        lines.append(f"Not counted: {tables.without_face:,} images for which no face was given.")
    if names := tables.without_portrait:
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        lines.append(f"Not counted: {len(names):,} faces of which the bank has no portrait ({shown}).")
    return lines


def span(low: int, high: int) -> str:
    """A range of counts in words."""
    return f"{low:,}" if low == high else f"{low:,}-{high:,}"


def _with_portrait(results: pa.Table) -> tuple[pa.Table, list[str]]:
    """The images of faces that have a portrait, and the faces that have none.

    Without a portrait even a face that was found has no alignment.
    """
    has_face = pc.greater(results["faces_found"], 0)
    missing = pc.and_(has_face, pc.is_null(results["face_alignment"]))
    without = pc.unique(results.filter(missing)["face_id"])
    return results.filter(pc.invert(pc.is_in(results["face_id"], value_set=without))), sorted(without.to_pylist())


def _has_face(table: pa.Table) -> pa.ChunkedArray:
    return pc.and_(pc.not_equal(table["face_id"], ""), pc.invert(table["bare"]))


def _known(table: pa.Table, without_portrait: Sequence[str]) -> pa.Table:
    """Without the faces that have no portrait."""
    return table.filter(pc.invert(pc.is_in(table["face_id"], value_set=pa.array(without_portrait, pa.string()))))


def _of(results: pa.Table, label: str, variant: str) -> pa.Table:
    return results.filter(pc.and_(pc.equal(results["label"], label), pc.equal(results["variant"], variant)))


def _row(images: pa.Table, label: str, variant: str, missing_face: MissingFace) -> PaperRow:
    no_face = pc.equal(images["faces_found"], 0)
    counted = images if missing_face == MissingFace.ZERO else images.filter(pc.invert(no_face))
    if not counted.num_rows:
        return PaperRow(
            label=label,
            variant=variant,
            identities=0,
            prompts=0,
            seeds=(0, 0),
            images=0,
            no_face=images.num_rows,
            figures=dict.fromkeys(MEASURES, Figure(mean=None, std=None)),
            reason=Unmeasured.NO_FACE if images.num_rows else Unmeasured.NO_IMAGE,
        )
    text = counted["text_alignment"].cast(pa.float64())
    face = pc.fill_null(counted["face_alignment"].cast(pa.float64()), 0.0)
    measured = counted.select(["face_id", "prompt"]).append_column("text", text).append_column("face", face)
    measured = measured.append_column("overall", pc.add(text, face))
    # One thread: the order of a parallel sum would change last bits.
    identities = measured.group_by("face_id", use_threads=False).aggregate(
        [(name, "mean") for name in ("text", "face", "overall")]
    )
    cells = measured.group_by(["face_id", "prompt"], use_threads=False).aggregate(
        [("overall", "max"), ("overall", "count")]
    )
    best = cells.group_by("face_id", use_threads=False).aggregate([("overall_max", "mean")])
    return PaperRow(
        label=label,
        variant=variant,
        identities=identities.num_rows,
        prompts=len(pc.unique(counted["prompt"])),
        seeds=(pc.min(cells["overall_count"]).as_py(), pc.max(cells["overall_count"]).as_py()),
        images=counted.num_rows,
        no_face=pc.sum(no_face).as_py(),
        figures={
            **{name: _figure(identities[f"{name}_mean"]) for name in ("text", "face", "overall")},
            "best": _figure(best["overall_max_mean"]),
        },
    )


def _figure(means: pa.ChunkedArray) -> Figure:
    values = np.sort(means.to_numpy())  # in an order of their own, so that the figure does not depend on the rows'
    return Figure(mean=float(values.mean()), std=float(values.std(ddof=1)) if len(values) > 1 else None)
