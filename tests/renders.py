"""Outputs of generate made by hand: results rows of chosen figures, committed as a job commits them."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from PIL import Image

from face0.tasks.output_folder import OutputFolder
from schemas.failures import Failure
from schemas.requests import RESULTS


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """A task."""

    uri: str = "manifest.parquet"
    task_id: str = "chunk-00000"


def thumbnail(colour: tuple[int, int, int] = (90, 120, 150), size: int = 4) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (size, size), colour).save(buffer, "PNG")
    return buffer.getvalue()


THUMBNAIL = thumbnail()


def row(number: int, **values: Any) -> dict[str, Any]:
    """A row of RESULTS, with what is not given as a small sweep would have it."""
    name = f"{number:032x}"
    usual = {
        "request_id": name,
        "prompt": "a portrait",
        "negative_prompt": "",
        "face_id": "anna",
        "bare": False,
        "seed": number,
        "w": 7.5,
        "c": 1.0,
        "a": 0.0,
        "guide_from": 0.0,
        "guide_to": 1.0,
        "rescale": 0.0,
        "sigma": 0.0,
        "sampler": "ddim",
        "steps": 50,
        "width": 64,
        "height": 64,
        "label": "",
        "image": f"images/{name}.png",
        "image_sha256": "0" * 64,
        "thumbnail": THUMBNAIL,
        "tokens_lost": 0,
        "faces_found": 1,
        "seconds": 0.5,
    }
    assert usual.keys() | values.keys() <= set(RESULTS.names)
    return {**dict.fromkeys(RESULTS.names), **usual, **values}


def commit(
    uri: str,
    rows: Sequence[dict[str, Any]],
    failures: Iterable[Failure] = (),
    task: Chunk | None = None,
    done: bool = True,
) -> str:
    """Commits rows and failures as one task of an output folder; returns its URI."""
    folder, task = OutputFolder(uri), task or Chunk()
    folder.prepare("generate", {"model": "model", "clip": None, "faces": {"bank": "bank.parquet"}})
    with folder.commit(task) as output:
        table = output.table("results", RESULTS)
        for start in range(0, len(rows), 256):
            table.write(pa.RecordBatch.from_pylist(list(rows[start : start + 256]), schema=RESULTS))
        output.ledger.read += len(rows)
        output.ledger.written += len(rows)
        for failure in failures:
            output.ledger.read += 1
            output.fail(failure)
    if done:
        assert folder.succeed([task.task_id])
    return uri
