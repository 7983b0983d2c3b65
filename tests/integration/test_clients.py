"""The tools that people have open read what the jobs write: types, values, and the nearest faces in one line.

Those that are not in the environment of the tests have one of their own: see ``tests/clients``.
"""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from PIL import Image

from face0.generation.manifest import cross
from face0.shards.files import open_shards
from jobs.main import main
from schemas.requests import RESULTS
from tests.fixtures.models import DIM, bank_of, vector, write_model
from tests.fixtures.pictures import augment, captioned, contents, people, write_tar
from tests.fixtures.renders import commit, row

FACES, NOT_READ = 12, 2


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No network, and caches of each test's own."""
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output of augment, with rows that have failed."""
    folder = tmp_path_factory.mktemp("shards")
    failing = [(f"page{number}.jpg", b"<html>404</html>") for number in range(NOT_READ)]
    tar = write_tar(folder / "people.tar", captioned([*people(FACES), *failing]))
    assert augment(tar, folder / "out", "--max-failures", str(NOT_READ)) == 0
    return folder / "out"


@pytest.fixture(scope="module")
def renders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output of generate, in which a request has failed."""
    folder = tmp_path_factory.mktemp("renders")
    bank = bank_of(folder / "bank.parquet", "anna", without="nobody")
    pq.write_table(cross(["a photo"], ["anna", "nobody"], range(2), {"steps": 1}), folder / "manifest.parquet")
    model = write_model(folder / "model")
    named = ["--faces", str(bank), "--model", str(model), "--output", str(folder / "out")]
    assert main(["generate", str(folder / "manifest.parquet"), *named, "--worker-processes", "0", "--threads", "1",
                 "--max-failures", "2"]) == 0  # fmt: skip
    return folder / "out"


def by_pandas(folder: str) -> list[dict[str, Any]]:
    return pd.read_parquet(folder, dtype_backend="pyarrow").to_dict("records")


def by_numpy_backed_pandas(folder: str) -> list[dict[str, Any]]:
    return pd.read_parquet(folder).to_dict("records")


def by_polars(folder: str) -> list[dict[str, Any]]:
    return pl.read_parquet(f"{folder}/*.parquet").to_dicts()


def by_duckdb(folder: str) -> list[dict[str, Any]]:
    found = duckdb.sql(f"FROM '{folder}/*.parquet'")
    return [dict(zip(found.columns, values, strict=True)) for values in found.fetchall()]


def by_datasets(folder: str) -> list[dict[str, Any]]:
    data = datasets.load_dataset("parquet", data_files=f"{folder}/*.parquet", split="train")
    return [*data]


def by_pyarrow_dataset(folder: str) -> list[dict[str, Any]]:
    return pyarrow.dataset.dataset(folder).to_table().to_pylist()


READERS = [by_pandas, by_numpy_backed_pandas, by_polars, by_duckdb, by_datasets, by_pyarrow_dataset]


@pytest.fixture(params=READERS, ids=lambda reader: reader.__name__)
def read(request: pytest.FixtureRequest) -> Callable[[str], list[dict[str, Any]]]:
    """Reads all rows of a folder of Parquet by one of the tools."""
    return request.param


def plain(value: Any) -> Any:
    """A value of any of these tools as Python has it."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | np.ndarray | pl.Series):
        return [plain(inner) for inner in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if value is None or value is pd.NA or value != value else value


def expected(folder: Path) -> list[dict[str, Any]]:
    return [entry for file in sorted(folder.glob("*.parquet")) for entry in pq.ParquetFile(file).read().to_pylist()]


def test_every_tool_has_the_rows_of_a_shard(read, shards):
    found = plain(read(str(shards / "shards")))
    assert len(found) == FACES
    assert found == expected(shards / "shards")
    assert np.shape([entry["embedding"] for entry in found]) == (FACES, 1792)
    assert [entry["embeddings"][0] for entry in found] == [entry["embedding"] for entry in found]


def test_every_tool_has_the_rows_of_results(read, renders, tmp_path):
    assert plain(read(str(renders / "results"))) == expected(renders / "results")
    seen = [row(number, face_vector=[0.5, number], identity_vector=[0.6, 0.8]) for number in range(3)]
    by_hand = Path(commit(str(tmp_path / "out"), [*seen, row(3, face_vector=None, flagged=None)]))
    assert plain(read(str(by_hand / "results"))) == expected(by_hand / "results")


def test_every_tool_has_the_faces_of_a_bank(read, tmp_path):
    (tmp_path / "bank").mkdir()
    bank_of(tmp_path / "bank" / "bank.parquet", "anna", "berta", without="nobody")
    found = plain(read(str(tmp_path / "bank")))
    assert found == expected(tmp_path / "bank")
    assert [entry["vector"] for entry in found] == [vector(0).tolist(), vector(1).tolist(), None]


def test_types_are_those_that_the_tool_has_for_them(shards):
    described = duckdb.sql(f"DESCRIBE FROM '{shards}/shards/*.parquet'").fetchall()
    types = {name: kind for name, kind, *_ in described}
    assert types["embedding"] == "FLOAT[]"
    assert types["embeddings"] == "FLOAT[][]"
    assert types["faces"] == "STRUCT(box FLOAT[], score FLOAT, landmarks FLOAT[])[]"
    schema = pl.read_parquet_schema(next((shards / "shards").glob("*.parquet")))
    assert schema["embedding"] == pl.Array(pl.Float32, 1792)
    assert schema["faces"].inner.fields[0].dtype == pl.Array(pl.Float32, 4)


# --- The folder as a whole


def test_datasets_takes_the_data_of_an_output_and_not_the_failures(shards):
    data = datasets.load_dataset(str(shards))
    assert data.keys() == {"train"}
    found = data["train"]
    assert found["key"] == [entry["key"] for entry in expected(shards / "shards")]
    assert all(isinstance(image, Image.Image) for image in found["image"])
    with_bytes = found.cast_column("image", datasets.Image(decode=False))
    assert [image["bytes"] for image in with_bytes["image"]] == [e["image"] for e in expected(shards / "shards")]
    assert list(found["embedding"]) == [entry["embedding"] for entry in expected(shards / "shards")]


def test_datasets_takes_the_results_of_renders_and_neither_failures_nor_requests(renders):
    found = datasets.load_dataset(str(renders), split="train")
    assert len(found) == 2
    assert found.column_names == RESULTS.names
    assert found[0]["thumbnail"].size == (64, 64)
    assert (renders / found[0]["image"]).is_file()


def test_pyarrow_takes_the_shards(shards):
    found = pyarrow.dataset.dataset(shards / "shards")
    assert found.count_rows() == FACES
    assert found.schema.field("embedding").type.list_size == 1792
    assert pq.read_table(shards / "shards").num_rows == FACES


@pytest.mark.parametrize("name", ["shards", "renders"])
def test_the_lines_of_the_card_run(name, request):
    folder = request.getfixturevalue(name)
    blocks = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), flags=re.DOTALL)
    opened, _, search, *_ = blocks
    names: dict[str, Any] = {}
    exec(opened.replace('OUT = "."', f"OUT = {str(folder)!r}"), names)
    for line in [line for line in opened.splitlines() if "{OUT}" in line]:
        assert eval(line, names) is not None
    names["query"] = expected(folder / "shards")[3]["embedding"] if name == "shards" else [0.0] * DIM
    found = eval(search.replace("import duckdb\n", "").strip(), names)
    if name == "shards":
        assert found[0][0] == expected(folder / "shards")[3]["key"]
        assert found[0][1] == pytest.approx(1)


# --- The nearest faces


def cosines(folder: Path, query: list[float]) -> dict[str, float]:
    """Of the rows that have a face, by key."""
    rows = [entry for entry in expected(folder / "shards") if entry["faces"]]
    vectors = np.array([entry["embedding"] for entry in rows])
    similarity = vectors @ query / np.linalg.norm(vectors, axis=1) / np.linalg.norm(query)
    return dict(zip((entry["key"] for entry in rows), similarity, strict=True))


def test_polars_and_datasets_search_in_one_line(shards):
    query = expected(shards / "shards")[2]["embedding"]
    nearest = cosines(shards, query)
    table = pl.read_parquet(f"{shards}/shards/*.parquet", columns=["key", "embedding"])
    vectors = table["embedding"].to_numpy()
    similarity = vectors @ query / np.linalg.norm(vectors, axis=1) / np.linalg.norm(query)
    found = dict(zip(table["key"], similarity, strict=True))
    assert found == pytest.approx(nearest, abs=1e-5)
    stored = datasets.load_dataset(str(shards), split="train").with_format("numpy")["embedding"][:]
    assert stored.dtype == np.float32
    assert stored.shape == (FACES, 1792)


def test_duckdb_finds_the_nearest_faces_and_leaves_out_rows_without_one(tmp_path):
    tar = write_tar(tmp_path / "in.tar", captioned([*people(3), ("grey.png", grey())]))
    assert augment(tar, tmp_path / "out", "--keep-faceless") == 0
    rows = expected(tmp_path / "out" / "shards")
    assert [any(entry["embedding"]) for entry in rows] == [True, True, True, False]
    query = rows[1]["embedding"]
    found = duckdb.execute(
        "SELECT key, array_cosine_similarity(embedding::FLOAT[1792], ?::FLOAT[1792]) AS similarity "
        f"FROM '{tmp_path}/out/shards/*.parquet' WHERE len(faces) > 0 ORDER BY similarity DESC",
        [query],
    ).fetchall()
    assert found[0][0] == rows[1]["key"]
    assert dict(found) == pytest.approx(cosines(tmp_path / "out", query), abs=1e-5)
    assert len(found) == 3
    assert "Rows without a face have zeros there" in (tmp_path / "out" / "README.md").read_text()


def grey() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), (127, 127, 127)).save(file, "PNG")
    return file.getvalue()


# --- What they have filtered


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base") / "base"
    assert main(["init", "--preset", "tiny", "--output", str(folder)]) == 0
    return folder


def filtered_by_duckdb(shards: Path, path: Path) -> None:
    duckdb.sql(f"COPY (FROM '{shards}/shards/*.parquet' WHERE key != '{first_key(shards)}') TO '{path}'")


def filtered_by_polars(shards: Path, path: Path) -> None:
    pl.scan_parquet(f"{shards}/shards/*.parquet").filter(pl.col("key") != first_key(shards)).sink_parquet(path)


def first_key(shards: Path) -> str:
    return expected(shards / "shards")[0]["key"]


@pytest.mark.parametrize("filtered", [filtered_by_duckdb, filtered_by_polars])
def test_what_was_filtered_trains_and_fits(filtered, shards, base, tmp_path):
    folder = tmp_path / "filtered"
    folder.mkdir()
    filtered(shards, folder / "part.parquet")
    usual = ["--batch", "2", "--resolution", "64", "--holdout", "4", "--holdout-similarity", "1"]
    usual += ["--evaluate-every", "0", "--precision", "fp32"]
    train = ["train", "--shards", f"{folder}/*.parquet", "--base", str(base), "--steps", "2", *usual]
    assert main([*train, "--output", str(tmp_path / "refused")]) == 2
    assert main([*train, "--embedder-from", str(shards), "--output", str(tmp_path / "model")]) == 0
    assert (tmp_path / "model" / "lineage.json").is_file()
    evaluate = ["evaluate", "conditioning", "--model", str(tmp_path / "model"), "--shards", f"{folder}/*.parquet"]
    assert main([*evaluate, "--repeats", "1", "--embedder-from", str(shards)]) == 0
    fit_vae = ["init", "--preset", "tiny", "--fit-vae", f"{folder}/*.parquet", "--vae-steps", "1"]
    assert main([*fit_vae, "--embedder-from", str(shards), "--output", str(tmp_path / "fitted")]) == 0
    # With the data card beside them nothing need be said
    (folder / "README.md").write_bytes((shards / "README.md").read_bytes())
    assert main([*train, "--output", str(tmp_path / "again")]) == 0
    assert open_shards([str(folder)])[0].group_sizes == [FACES - 1]
    assert main(["faces", "fit", str(folder), "--output", str(tmp_path / "space"), "--runner", "FnApiRunner"]) == 0


# --- The card and the jobs


def test_an_edited_card_outlives_the_rest_of_the_job_and_is_no_data(shards, tmp_path):
    assert f"{FACES} written" in (shards / "README.md").read_text()
    tars = [write_tar(tmp_path / f"{i}.tar", captioned(people(2, first=2 * i))) for i in range(2)]
    assert augment(tars, tmp_path / "out") == 0
    card = tmp_path / "out" / "README.md"
    before = contents(tmp_path / "out")
    card.write_text(card.read_text().replace("license: other", "license: cc0-1.0"))
    (tmp_path / "out" / "_SUCCESS").unlink()
    (stats, _) = sorted((tmp_path / "out" / "stats").iterdir())
    stats.unlink()
    assert augment(tars, tmp_path / "out") == 0
    assert "license: cc0-1.0" in card.read_text()
    assert contents(tmp_path / "out").keys() == before.keys()
    assert [shard.file.rows for shard in open_shards([str(tmp_path / "out")])] == [2, 2]
