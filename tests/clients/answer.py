"""What every client of this folder is asked, and how it answers. Runs in the clients' environment, without Face0."""

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

WORK = Path(sys.argv[1])  # has an output of augment, and what is asked of it
SHARDS = f"{WORK}/output/shards"
FILES = f"{SHARDS}/*.parquet"
QUERY: list[float] = json.loads((WORK / "query.json").read_text())
NEAREST = 5  # keys that are asked for, the nearest first
WRITTEN = Path(sys.argv[2])  # a new folder, for the table as the client writes it


def answer(package: str, types: Any, rows: Any, nearest: Any) -> None:
    """Prints what a client has found.

    Args:
        package: its name, for its version.
        types: what it calls those of ``embedding``, ``embeddings`` and ``faces``.
        rows: of the shards, with as many of the columns as it reads.
        nearest: keys of the rows whose embedding has the largest cosine with QUERY; None: it has no way in one line.
    """
    found = {"version": version(package), "types": types, "rows": plain(rows), "nearest": plain(nearest)}
    print("ANSWER", json.dumps(found))


def plain(value: Any) -> Any:
    """A value as JSON has it; bytes by their length."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return len(value)
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if hasattr(value, "asDict"):  # a row of Spark
        return plain(value.asDict(recursive=True))
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return [plain(inner) for inner in value]
