"""Faces of generated images, for a bank."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from face0.detection.portraits import portrait
from face0.errors import UsageError
from face0.faces.bank import BankFace
from face0.faces.from_shards import refuse_unknown
from face0.generation.results import Results
from face0.io import storage
from face0.io.folder import Folder
from face0.runtime.progress import tracked
from face0.statistics.vectors import unit
from schemas.face_bank import Kind

_RESULT_COLUMNS = ["request_id", "image", "box", "face_vector", "identity_vector"]


def of_results(results: Results, requests: Sequence[str]) -> list[BankFace]:
    """The faces of generated images, in the order of the requests; a face's id is its request's.

    Raises:
        UsageError: the results hold no such request, or were made without an embedder.
    """
    if not results.job.config.get("embedder"):
        raise UsageError(f"{results.uri} has no face vectors: run face0 generate with --embedder")
    wanted = pa.array(requests, pa.string())
    rows: dict[str, dict[str, Any]] = {}
    for batch in results.batches(_RESULT_COLUMNS):
        there = batch.filter(pc.is_in(batch.column("request_id"), wanted))
        rows |= {row["request_id"]: row for row in there.to_pylist()}
    unknown = [request for request in requests if request not in rows]
    refuse_unknown(unknown, "request", results.uri, "the report shows the ids of its images")
    chosen = tracked(dict.fromkeys(requests), "images read")
    return [_of_result(results.folder, rows[request]) for request in chosen]


def _of_result(folder: Folder, row: dict[str, Any]) -> BankFace:
    picture = None
    if row["face_vector"] is not None and row["image"] is not None:
        with folder.open(row["image"]) as file:
            pixels = np.asarray(Image.open(file).convert("RGB"))
        picture = portrait(pixels, np.array(row["box"]))
    return BankFace(
        face_id=row["request_id"],
        vector=None if row["face_vector"] is None else np.array(row["face_vector"], np.float32),
        identity_vector=_at_unit_length(row["identity_vector"]),
        kind=Kind.RESULT,
        provenance={"sources": [{"request_id": row["request_id"]}], "results": storage.absolute(folder.uri)},
        portrait=picture,
        note="" if row["face_vector"] is not None else "no face was found in the image",
    )


def _at_unit_length(vector: list[float] | None) -> np.ndarray | None:
    """An identity vector that was rounded as it was stored."""
    return None if vector is None else unit(np.array([vector], np.float32))[0]
