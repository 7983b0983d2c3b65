"""Faces of chosen rows of face shards, for a bank."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow.compute as pc
from PIL import Image

from face0.detection.portraits import portrait
from face0.errors import UsageError
from face0.faces.bank import BankFace
from face0.io.text import composed
from face0.runtime.progress import tracked
from face0.shards.columns import EMBEDDINGS, FACE
from face0.shards.files import iter_columns, read_row_group, require_columns
from face0.shards.shard import Shard
from schemas.face_bank import Kind

SHOWN = 5  # names in an error
_SHARD_COLUMNS = ["key", "source", "sha256", "image", f"{FACE}box", EMBEDDINGS]


def of_shards(shards: Sequence[Shard], keys: Sequence[str]) -> list[BankFace]:
    """The largest faces of rows of face shards, in the order of the keys; a face's id is its key.

    Keys are unique within an input of augment. Of several rows with a key the first counts, and a note says so.

    Raises:
        UsageError: no row has a key, or a column is missing.
    """
    require_columns(shards, _SHARD_COLUMNS)
    keys = [composed(key) for key in keys]
    wanted = set(keys)
    rows: dict[str, list[tuple[Shard, int, str]]] = {}  # where each key stands, by shard and row group, and its form
    for shard in tracked(shards, "shards looked through"):
        for index, table in enumerate(iter_columns(shard, ["key"])):
            for key in table["key"].to_pylist():
                if composed(key) in wanted:
                    rows.setdefault(composed(key), []).append((shard, index, key))
    refuse_unknown([key for key in keys if key not in rows], "key", "the shards", "look them up in the column key")
    chosen = tracked(dict.fromkeys(keys), "rows read")
    return [_of_row(_row(*rows[key][0]), len(rows[key])) for key in chosen]


def refuse_unknown(names: Sequence[str], kind: str, place: str, remedy: str) -> None:
    """Raises UsageError if a place does not hold what was named."""
    if names:
        more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
        raise UsageError(f"{place} hold no {kind} {', '.join(map(repr, names[:SHOWN]))}{more}: {remedy}")


def _row(shard: Shard, group: int, key: str) -> dict[str, Any]:
    table = read_row_group(shard, group, _SHARD_COLUMNS)
    row: dict[str, Any] = table.filter(pc.equal(table["key"], key)).slice(0, 1).to_pylist()[0]
    return row


def _of_row(row: dict[str, Any], rows: int) -> BankFace:
    notes = [f"{rows} rows have this key: this is the one of {row['source']}"] if rows > 1 else []
    vector = picture = None
    if row["faces"]:
        vector = np.array(row[EMBEDDINGS][0], np.float32)
        try:
            pixels = np.asarray(Image.open(io.BytesIO(row["image"])).convert("RGB"))
            picture = portrait(pixels, np.array(row["faces"][0]["box"]))
        except MemoryError:
            raise
        except Exception as error:  # a broken image makes Pillow raise nearly any type
            notes.append(f"the image does not decode: {str(error) or type(error).__name__}")
    else:
        notes.append("the row has no face")
    return BankFace(
        face_id=row["key"],
        vector=vector,
        kind=Kind.SHARD,
        provenance={"sources": [{name: row[name] for name in ("key", "source", "sha256")}]},
        portrait=picture,
        note="; ".join(notes),
    )
