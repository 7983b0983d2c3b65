"""Small data sets, made of pictures that come with installed packages, and what a job wrote about them."""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from jobs.main import main

PICTURES = {
    "astronaut": ("skimage", "data/astronaut.png"),
    "admiral": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
    "coffee": ("skimage", "data/coffee.png"),  # nobody is on it
    "chelsea": ("skimage", "data/chelsea.png"),  # a cat
}


@cache
def original(name: str) -> bytes:
    package, path = PICTURES[name]
    return files(package).joinpath(path).read_bytes()


@cache
def picture(name: str, side: int = 200, shift: int = 0) -> bytes:
    """A picture as a small square JPEG; with ``shift``, a slightly different crop of it."""
    image = Image.open(io.BytesIO(original(name))).convert("RGB")
    crop = min(image.size) - 24
    image = image.crop((shift, shift, shift + crop, shift + crop)).resize((side, side), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=95)
    return file.getvalue()


def write_tar(path: Path, members: Iterable[tuple[str, bytes]]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def captioned(rows: Iterable[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Members of a tar: images by file name, each with a caption beside it."""
    return [
        member
        for name, image in rows
        for member in ((name, image), (f"{name.rpartition('.')[0]}.txt", f"a photo of {name}".encode()))
    ]


def people(count: int, first: int = 0) -> list[tuple[str, bytes]]:
    """So many different small photographs of people, by file name."""
    names = ("astronaut", "admiral")
    return [(f"p{i:04d}.jpg", picture(names[i % 2], shift=i // 2 % 24)) for i in range(first, first + count)]


def augment(inputs: Sequence[Path | str] | Path | str, output: Path | str, *options: str) -> int:
    """Runs the job in this process."""
    inputs = [inputs] if isinstance(inputs, Path | str) else inputs
    usual = ["--embedder", "random:0"] if "--embedder" not in options else []
    # One thread: with several, the last bits of a sum depend on their number.
    return main(["augment", *map(str, inputs), "--output", str(output), "--threads", "1", *usual, *options])


def contents(root: Path | str) -> dict[str, bytes]:
    """Every file of an output folder on any file system, by its path in it."""
    fs, path = fsspec.core.url_to_fs(str(root))
    fs.invalidate_cache()
    found = fs.find(path)
    prefix = path.rstrip("/") + "/"
    return {name.removeprefix(prefix): fs.cat_file(name) for name in found}


def rows(root: Path | str, table: str = "shards") -> list[dict[str, Any]]:
    """The rows of all tasks, in the order of the tasks' names."""
    found = contents(root)
    return [
        row
        for name in sorted(found)
        if name.startswith(f"{table}/")
        for row in pq.read_table(io.BytesIO(found[name])).to_pylist()
    ]


def stats(root: Path | str) -> list[dict[str, Any]]:
    """The stats of all tasks, times aside."""
    found = contents(root)
    records = [json.loads(found[name]) for name in sorted(found) if name.startswith("stats/")]
    return [{k: v for k, v in record.items() if k != "seconds"} for record in records]


def success(root: Path | str) -> dict[str, Any]:
    return json.loads(contents(root)["_SUCCESS"])


def assert_complete(root: Path | str) -> None:
    """What holds of every finished output folder: nothing but what the stats name, all of it as they say, balanced."""
    found = contents(root)
    records = stats(root)
    named = {file["name"]: file for record in records for file in record["files"]}
    others = {"job.json", "_SUCCESS", *(f"stats/{record['task_id']}.json" for record in records)}
    assert found.keys() == named.keys() | others
    for name, file in named.items():
        assert hashlib.sha256(found[name]).hexdigest() == file["sha256"]
        assert len(found[name]) == file["bytes"]
        assert pq.read_metadata(io.BytesIO(found[name])).num_rows == file["rows"]
    whole = success(root)
    for ledger in (whole["ledger"], *(record["ledger"] for record in records)):
        assert ledger["read"] == ledger["written"] + ledger["no_face"] + ledger["rejected"] + ledger["failed"]
    for column in whole["ledger"]:
        assert whole["ledger"][column] == sum(record["ledger"][column] for record in records)
    assert whole["ledger"]["written"] == len(rows(root))
    assert whole["ledger"]["failed"] == len(rows(root, "failures")) == sum(whole["reasons"].values())


def assert_same_rows(found: list[dict[str, Any]], expected: list[dict[str, Any]], within: float = 1e-3) -> None:
    """Equal in all; embeddings within a tolerance relative to their largest value, for batches were cut otherwise."""

    def plain(row: dict[str, Any]) -> dict[str, Any]:
        geometry = [{k: np.round(v, 2).tolist() for k, v in f.items() if k != "embedding"} for f in row["faces"]]
        return {**row, "faces": geometry}

    assert [row["key"] for row in found] == [row["key"] for row in expected]
    for one, other in zip(found, expected, strict=True):
        assert plain(one) == plain(other)
        for face, wanted in zip(one["faces"], other["faces"], strict=True):
            a, b = np.float32(face["embedding"]), np.float32(wanted["embedding"])
            assert np.abs(a - b).max() <= within * np.abs(b).max()
