"""Lists of URIs, split without loss whatever they hold."""

import csv
import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from face0.errors import StorageError
from face0.readers import uri_list
from face0.readers.planning import plan, read
from face0.readers.samples import Columns, Sample
from face0.readers.uris import resolve
from tests.fixtures.inputs import NONE, reasons, rows_of, write_images


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
@pytest.mark.parametrize("rows_per_task", [1, 2, 100])
def test_list_of_laion(tmp_path, ending, rows_per_task):
    urls = ["http://h/a.jpg", "sub/b.jpg", "/c.jpg", "s3://b/d.jpg", "  ", "f.jpg"]
    texts = ["a", 'quote " and\nline', "é, 漢", "", "no image", "f"]
    path = tmp_path / f"list.{ending}"
    if ending == "parquet":
        write_images(path, pa.table({"URL": urls, "TEXT": texts}), 4)
    elif ending == "jsonl":
        path.write_text("\n\n".join(json.dumps({"URL": u, "TEXT": t}) for u, t in zip(urls, texts, strict=True)))
    else:
        with path.open("w", newline="") as file:
            writer = csv.writer(file, delimiter="\t" if ending == "tsv" else ",")
            writer.writerows([("URL", "TEXT"), *zip(urls, texts, strict=True)])
    rows = rows_of(path, rows_per_task=rows_per_task)
    assert reasons(rows) == ["ok"] * 4 + ["no_image", "ok"]
    assert [row.key for row in rows] == [f"list-{i:09d}" for i in range(6)]
    samples = [row for row in rows if isinstance(row, Sample)]
    assert [row.uri for row in samples] == [
        "http://h/a.jpg",
        f"{tmp_path}/sub/b.jpg",
        "/c.jpg",
        "s3://b/d.jpg",
        f"{tmp_path}/f.jpg",
    ]
    assert [row.caption for row in samples] == [*texts[:4], "f"]


def test_csv_with_bom_crlf_blank_lines_and_bad_rows(tmp_path):
    path = tmp_path / "l.csv"
    path.write_bytes(
        b'\xef\xbb\xbfurl,caption,key\r\n\r\na.jpg,"two\r\nlines",k1\r\n\r\nb.jpg,a dog, a cat,k2\r\nc.jpg\r\n'
        b"d.jpg,caf\xe9,k4\r\n,none,k5\r\ne.jpg,bare\rreturn,k6\r\n\nf.jpg,last,k7"
    )
    rows = rows_of(path, rows_per_task=2)
    assert reasons(rows) == ["ok", "unreadable_input", "ok", "ok", "no_image", "unreadable_input", "ok"]
    assert [row.key for row in rows] == ["k1", "l-000000001", "l-000000002", "k4", "k5", "l-000000005", "k7"]
    assert [row.caption for row in rows if isinstance(row, Sample)] == ["two\r\nlines", None, "caf\ufffd", "last"]


def test_csv_fields_are_long_but_not_endless(tmp_path):
    path = tmp_path / "l.csv"
    path.write_text(f'url,caption\na.jpg,{"x" * 500_000}\nb.jpg,"{"x" * 1_100_000}"\nc.jpg,x\n')
    assert reasons(rows_of(path)) == ["ok", "unreadable_input", "ok"]


def test_jsonl_with_bad_lines(tmp_path):
    path = tmp_path / "l.jsonl"
    lines = [
        b'\xef\xbb\xbf{"url": "a.jpg", "caption": "a", "id": 5}',
        b'{"url": "b.jpg", ',
        b'["c.jpg"]',
        b'{"caption": "d"}',
        b'{"url": "e.jpg", "caption": null}',
        b'{"url": "f.jpg", "caption": "\xff"}',
        b'{"url": "g.jpg", "caption": "\\ud83d"}',
        b"[" * 100_000,
    ]
    path.write_bytes(b"\r\n \r\n".join(lines))
    rows = rows_of(path, rows_per_task=3)
    bad = "unreadable_input"
    assert reasons(rows) == ["ok", bad, bad, "no_image", "ok", bad, "ok", bad]
    assert [row.caption for row in rows if isinstance(row, Sample)] == ["a", None, "\ufffd"]
    assert rows[0].key == "5"
    assert rows[4].key == "l-000000004"


def test_list_that_is_gone_after_planning_is_no_row_but_an_error(tmp_path):
    path = tmp_path / "l.csv"
    path.write_text("url,caption\na.jpg,a\nb.jpg,b\n")
    splits = plan([str(path)], NONE, 1)
    path.unlink()
    for split in splits:
        with pytest.raises(StorageError, match=r"l\.csv was there when the job was planned"):
            list(read(split, NONE))


# Everything but what UTF-8 cannot hold, with what is special to the formats made frequent.
ANY_TEXT = st.text(
    st.one_of(st.sampled_from('",\t\n\r\\\0 é漢😀\ufeff\u2028'), st.characters(exclude_categories=["Cs"]))
)
RECORDS = st.lists(st.tuples(ANY_TEXT.map(lambda text: "u" + text + "u"), ANY_TEXT), max_size=30)
PROPERTY = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)


def check_splitting(path: Path, records: list[tuple[str, str]], rows_per_task: int) -> None:
    splits = list(uri_list.plan(str(path), path.stat().st_size, Columns(url="u", caption="c"), rows_per_task))
    rows = [list(uri_list.read(split, Columns(url="u", caption="c"))) for split in splits]
    assert [len(part) for part in rows] == [split.rows for split in splits]
    assert all(len(part) == rows_per_task for part in rows[:-1])
    found = [row for part in rows for row in part]
    assert [(row.uri, row.caption) for row in found] == [(resolve(u, str(path.parent)), c) for u, c in records]
    assert [row.key for row in found] == [f"l-{i:09d}" for i in range(len(records))]


@PROPERTY
@given(records=RECORDS, rows_per_task=st.integers(1, 12), end=st.sampled_from(["\n", "\r\n"]), bom=st.booleans())
def test_any_csv_is_split_without_loss(tmp_path, records, rows_per_task, end, bom):
    path = tmp_path / "l.csv"
    with path.open("w", newline="", encoding="utf-8-sig" if bom else "utf-8") as file:
        csv.writer(file, lineterminator=end, quoting=csv.QUOTE_ALL).writerows([("u", "c"), *records])
    check_splitting(path, records, rows_per_task)


@PROPERTY
@given(
    records=RECORDS, rows_per_task=st.integers(1, 12), end=st.sampled_from(["\n", "\r\n", "\n\n"]), raw=st.booleans()
)
def test_any_jsonl_is_split_without_loss(tmp_path, records, rows_per_task, end, raw):
    path = tmp_path / "l.jsonl"
    # The columns of JSONL are those of its first records.
    records = [("uu", ""), *records]
    lines = [json.dumps({"u": u, "c": c}, ensure_ascii=not raw) + end for u, c in records]
    path.write_bytes("".join(lines).encode())
    check_splitting(path, records, rows_per_task)


@PROPERTY
@given(content=st.binary(max_size=200) | ANY_TEXT.map(str.encode), rows_per_task=st.integers(1, 4))
def test_splits_of_any_bytes_hold_the_rows_of_the_whole(tmp_path, content, rows_per_task):
    for name, head in (("l.csv", b"u,c\n"), ("l.jsonl", b'{"u": "1", "c": "2"}\n')):
        path = tmp_path / name
        path.write_bytes(head + content)
        columns = Columns(url="u", caption="c")
        whole, parts = (
            [
                (row.key, row.source, reasons([row]))
                for split in uri_list.plan(str(path), 1, columns, size)
                for row in uri_list.read(split, columns)
            ]
            for size in (10**6, rows_per_task)
        )
        assert parts == whole
