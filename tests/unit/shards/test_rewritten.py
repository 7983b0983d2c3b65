"""Shards that other tools have filtered and written are read as they are; what is wrong with them is named."""

import json
import shutil

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from face0.errors import UsageError
from face0.faces.corpus import CORPUS_COLUMNS, read_corpus
from face0.faces.from_shards import of_shards
from face0.shards import loader
from face0.shards.files import open_shards, require_columns
from face0.shards.loader import FaceShards
from face0.shards.selection import RowFilter
from tests.fixtures.shards import NONE, numbered, row, take, write

KEPT = [f"k{number:05d}" for number in range(2, 9)]
FILTER = "width >= 8 AND key >= 'k00002' AND key < 'k00009'"


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """An output of augment: twelve rows in two files, of which one row has two faces and one has none."""
    groups = numbered([[5], [7]])
    groups[0][0][3], groups[1][0][0] = row(3, faces=2), row(5, faces=0)
    return write(tmp_path_factory.mktemp("out"), groups)


def by_duckdb(output, path):
    duckdb.sql(f"COPY (SELECT * FROM '{output}/shards/*.parquet' WHERE {FILTER} ORDER BY key) TO '{path}'")


def by_duckdb_with_doubles(output, path):
    query = f"SELECT * REPLACE (embeddings::DOUBLE[][] AS embeddings) FROM '{output}/shards/*.parquet'"
    duckdb.sql(f"COPY ({query} WHERE {FILTER} ORDER BY key) TO '{path}' (ROW_GROUP_SIZE 2048)")


def by_polars(output, path):
    chosen = (pl.col("key") >= KEPT[0]) & (pl.col("key") <= KEPT[-1])
    pl.read_parquet(f"{output}/shards/*.parquet").filter(chosen).write_parquet(path)


def by_pandas(output, path):
    table = pd.read_parquet(f"{output}/shards")
    table[table["key"].isin(KEPT)].to_parquet(path)


def by_pyarrow_with_other_types(output, path):
    rows = pq.read_table(f"{output}/shards").filter(pa.compute.is_in(pa.compute.field("key"), pa.array(KEPT)))
    columns = {name: rows[name] for name in rows.schema.names}
    columns["embeddings"] = rows["embeddings"].cast(pa.large_list(pa.large_list(pa.float16())))
    columns["key"] = rows["key"].dictionary_encode()
    columns["caption"] = rows["caption"].cast(pa.large_string())
    columns["image"] = rows["image"].combine_chunks().view(pa.string())
    pq.write_table(pa.table(columns), path)


def by_clickhouse(output, path):
    """It has no bytes: what is no text is written as text all the same."""
    rows = pq.read_table(f"{output}/shards").filter(pa.compute.is_in(pa.compute.field("key"), pa.array(KEPT)))
    image = rows["image"].combine_chunks().view(pa.string())
    pq.write_table(rows.set_column(rows.schema.get_field_index("image"), "image", image), path, store_schema=False)


def by_datasets(output, path):
    datasets = pytest.importorskip("datasets")
    data = datasets.Dataset.from_parquet(f"{output}/shards/*.parquet", cache_dir=str(path.parent / "cache"))
    data = data.cast_column("image", datasets.Image(decode=False))
    data.filter(lambda key: key in KEPT, input_columns="key").to_parquet(path)


WRITERS = [
    by_duckdb,
    by_duckdb_with_doubles,
    by_polars,
    by_pandas,
    by_pyarrow_with_other_types,
    by_clickhouse,
    by_datasets,
]


@pytest.fixture(params=WRITERS, ids=lambda writer: writer.__name__)
def rewritten(request, output, tmp_path):
    (tmp_path / "filtered").mkdir()
    request.param(output, tmp_path / "filtered" / "part.parquet")
    return tmp_path / "filtered"


def test_they_are_trained_on_as_they_are(rewritten, output):
    expected = take(FaceShards([output], holdout=NONE), 1, batch=12, slots=2)[0]
    found = take(FaceShards([f"{rewritten}/*.parquet"], holdout=NONE, embedder_from=output), 1, batch=7, slots=2)[0]
    assert sorted(found.keys) == KEPT
    assert not found.failed
    for name in KEPT:
        one, other = found.keys.index(name), expected.keys.index(name)
        assert found.captions[one] == expected.captions[other]
        assert found.images[one].equal(expected.images[other])
        assert found.faces[one].equal(expected.faces[other])
        assert found.present[one].equal(expected.present[other])


def test_they_are_filtered_fitted_to_and_become_a_bank(rewritten, output):
    limits = RowFilter(min_face=30, min_score=0.5)
    data = FaceShards([str(rewritten)], rows=limits, holdout=NONE, embedder_from=output)
    assert data.samples == len(KEPT) - 1
    (shard,) = open_shards([str(rewritten)], output)
    require_columns([shard], CORPUS_COLUMNS)
    corpus = read_corpus(shard, 100)
    assert (corpus.faces, corpus.faceless) == (len(KEPT) - 1, 1)
    first, none = of_shards([shard], ["k00003", "k00005"])
    assert first.vector is not None
    assert first.vector.tolist() == [3, 0, 0, 0]
    assert none.vector is None


def test_the_data_card_beside_them_says_what_made_the_embeddings(output, tmp_path):
    by_duckdb(output, tmp_path / "part.parquet")
    said = "face0:\n  schema: face_shard\n  embedding_dim: 4\n  embedder:\n    name: e\n"
    (tmp_path / "README.md").write_text(f"---\nlicense: other\n{said}---\n# Faces\n")
    (shard,) = open_shards([str(tmp_path / "part.parquet")])
    assert (shard.dim, shard.embedder) == (4, {"name": "e"})
    (tmp_path / "README.md").write_text("# Faces\n")
    with pytest.raises(UsageError, match=r"part\.parquet does not say what made its embeddings.*--embedder-from OUT"):
        open_shards([str(tmp_path)])


def test_another_embedder_than_the_files_own_is_refused(output, tmp_path):
    shutil.copytree(f"{output}/shards", tmp_path / "copied")
    assert len(open_shards([str(tmp_path / "copied")])) == 2
    other = write(tmp_path / "other", numbered([[1]]), embedder="f")
    with pytest.raises(UsageError, match=r"of different embedders \(name: e, f\).*leave --embedder-from out"):
        open_shards([str(tmp_path / "copied")], other)


def test_a_single_vector_is_the_one_face_of_its_row(output, tmp_path):
    query = f"SELECT * EXCLUDE (faces, embeddings) FROM '{output}/shards/*.parquet'"
    duckdb.sql(f"COPY ({query}) TO '{tmp_path}/x.parquet'")
    (batch,) = take(FaceShards([str(tmp_path)], holdout=NONE, embedder_from=output), 1, batch=12, slots=2)
    faces = dict(zip(batch.keys, batch.present.sum(dim=1).tolist(), strict=True))
    assert faces == {key: int(key not in ("k00000", "k00005")) for key in faces}  # the first is all zeros


WRONG = {
    "a column is gone": ("SELECT * EXCLUDE caption", r"lacks caption: take them along .* it has embedding,"),
    "a join has left nulls": ("SELECT * REPLACE (nullif(key, 'k00001') AS key)", r"key is null in 1 rows"),
    "a vector is cut": ("SELECT * REPLACE ([v[1:3] FOR v IN embeddings] AS embeddings)", "has 3 values, and not 4"),
    "a value is null": ("SELECT * REPLACE ([[NULL, 1, 2, 3]::FLOAT[]] AS embeddings)", "a value of a vector is null"),
    "a vector is null": ("SELECT * REPLACE ([NULL::FLOAT[]] AS embeddings)", "a vector is null"),
    "a value is no number": ("SELECT * REPLACE ([['nan'::FLOAT, 1, 2, 3]] AS embeddings)", "no finite number"),
    "a value is too large": ("SELECT * REPLACE ([[1e300, 1, 2, 3]::DOUBLE[]] AS embeddings)", "no finite number"),
    "a size is no number": ("SELECT * REPLACE ('wide' AS width)", "row group 0 does not read .*wide"),
    "an image is no bytes": ("SELECT * REPLACE ([1, 2] AS image)", r"image is of the type list<.*>, and not bytes"),
    "bytes in a struct are null": (
        "SELECT * REPLACE ({'bytes': CASE WHEN key = 'k00001' THEN NULL ELSE image END} AS image)",
        r"image\.bytes is null in 1 rows",
    ),
}


@pytest.mark.parametrize(("query", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(query, message, output, tmp_path):
    duckdb.sql(f"COPY ({query} FROM '{output}/shards/*.parquet') TO '{tmp_path}/x.parquet'")
    with pytest.raises(UsageError, match=f"x.parquet.*{message}"):
        take(FaceShards([str(tmp_path)], holdout=NONE, embedder_from=output), 1, batch=12)


@pytest.mark.parametrize("name", ["key", "caption", "image", "width", "height"])
def test_nulls_are_named_though_the_footer_does_not_count_them(name, output, tmp_path):
    rows = pq.read_table(f"{output}/shards")
    nulls = pa.nulls(1, rows[name].type).to_pylist() + rows[name].to_pylist()[1:]
    column = pa.array(nulls, rows[name].type)
    rows = rows.set_column(rows.schema.get_field_index(name), name, column)
    pq.write_table(rows, tmp_path / "x.parquet", write_statistics=False)
    with pytest.raises(UsageError, match=rf"x\.parquet.*{name} is null in 1 rows"):
        take(FaceShards([str(tmp_path)], holdout=NONE), 1, batch=12)


def test_sizes_as_text_and_images_as_views_are_taken(output, tmp_path):
    rows = pq.read_table(f"{output}/shards")
    for name, kind in {"width": pa.string(), "height": pa.float64(), "image": pa.binary_view()}.items():
        rows = rows.set_column(rows.schema.get_field_index(name), name, rows[name].cast(kind))
    pq.write_table(rows, tmp_path / "x.parquet")
    (batch,) = take(FaceShards([str(tmp_path)], holdout=NONE), 1, batch=12)
    assert (len(batch.keys), batch.failed) == (12, [])
    assert of_shards(open_shards([str(tmp_path)]), ["k00003"])[0].portrait is not None


def test_files_without_rows_need_no_columns_of_the_right_types(output, tmp_path):
    by_polars(output, tmp_path / "b.parquet")
    empty = {name: [] for name in pq.read_schema(tmp_path / "b.parquet").names}
    pl.DataFrame(empty).write_parquet(tmp_path / "a.parquet")
    shards = open_shards([str(tmp_path)], output)
    assert [face.face_id for face in of_shards(shards, ["k00003"])] == ["k00003"]


def test_faces_without_their_embeddings_become_no_bank(output, tmp_path):
    query = "SELECT * REPLACE (CASE WHEN key = 'k00003' THEN NULL ELSE embeddings END AS embeddings)"
    duckdb.sql(f"COPY ({query} FROM '{output}/shards/*.parquet') TO '{tmp_path}/x.parquet'")
    with pytest.raises(UsageError, match="faces and embeddings in different numbers, 2 and 0"):
        of_shards(open_shards([str(tmp_path)], output), ["k00003"])


def test_a_score_that_is_null_is_named(output, tmp_path):
    faces = "[{'box': f.box, 'score': NULL::FLOAT, 'landmarks': f.landmarks} FOR f IN faces]"
    duckdb.sql(f"COPY (SELECT * REPLACE ({faces} AS faces) FROM '{output}/shards/*.parquet') TO '{tmp_path}/x.parquet'")
    with pytest.raises(UsageError, match="a score is null"):
        FaceShards([str(tmp_path)], rows=RowFilter(min_score=0.5), holdout=NONE, embedder_from=output)


def test_a_face_whose_image_does_not_decode_has_no_portrait(output, tmp_path):
    duckdb.sql(f"COPY (SELECT * REPLACE ('no image'::BLOB AS image) FROM '{output}/shards/*.parquet') "
               f"TO '{tmp_path}/x.parquet'")  # fmt: skip
    (face,) = of_shards(open_shards([str(tmp_path)], output), ["k00003"])
    assert (face.vector.tolist(), face.portrait) == ([3, 0, 0, 0], None)
    assert "the image does not decode" in face.note


def test_row_groups_too_large_to_hold_are_refused(output, tmp_path, monkeypatch):
    by_duckdb(output, tmp_path / "x.parquet")
    monkeypatch.setattr(loader, "_LARGEST_GROUP", 100)
    with pytest.raises(UsageError, match=r"x\.parquet has a row group of .*ROW_GROUP_SIZE in DuckDB"):
        FaceShards([str(tmp_path)], embedder_from=output)


def test_what_spark_leaves_beside_its_files_is_passed_over(output, tmp_path):
    by_duckdb(output, tmp_path / "part-0.snappy.parquet")
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / ".part-0.snappy.parquet.crc").write_bytes(b"crc")
    (tmp_path / "_temporary").mkdir()
    (tmp_path / "_temporary" / "part-1.parquet").write_bytes(b"PAR1")
    (shard,) = open_shards([str(tmp_path)], output)
    assert shard.file.rows == len(KEPT)


def test_a_change_of_the_rows_changes_the_fingerprint_and_a_copy_does_not(output, tmp_path):
    by_duckdb(output, tmp_path / "x.parquet")

    def fingerprint() -> str:
        return FaceShards([str(tmp_path / "x.parquet")], holdout=NONE, embedder_from=output).fingerprint

    before = fingerprint()
    data = (tmp_path / "x.parquet").read_bytes()
    (tmp_path / "x.parquet").unlink()
    (tmp_path / "x.parquet").write_bytes(data)
    assert fingerprint() == before
    duckdb.sql(f"COPY (FROM '{output}/shards/*.parquet' ORDER BY key DESC) TO '{tmp_path}/x.parquet'")
    assert fingerprint() != before


def test_other_parquet_is_no_shard(tmp_path, output):
    pq.write_table(pa.table({"a": [1]}), tmp_path / "x.parquet")
    with pytest.raises(UsageError, match=r"x\.parquet lacks .*key.*it has a"):
        FaceShards([str(tmp_path)], embedder_from=output)
    (tmp_path / "x.parquet").write_text(json.dumps({}))
    with pytest.raises(UsageError, match="does not open as Parquet"):
        FaceShards([str(tmp_path)], embedder_from=output)
