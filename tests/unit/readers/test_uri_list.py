"""Lists of URIs, split without loss whatever they hold."""

import base64
import csv
import json
import re
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from face0.errors import StorageError, UsageError
from face0.readers import uri_list
from face0.readers.fetching import Fetcher
from face0.readers.planning import plan, read
from face0.readers.samples import Columns, Sample
from face0.readers.uris import resolve
from schemas.failures import Reason
from tests.fixtures.inputs import NONE, reasons, rows_of, write_images


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
@pytest.mark.parametrize("rows_per_task", [1, 2, 100])
def test_list_of_laion(tmp_path, ending, rows_per_task):
    urls = ["http://h/a.jpg", "sub/b.jpg", "/c.jpg", "s3://b/d.jpg", "  ", "f.jpg"]
    texts = ["a", f'quote " and{" " if ending == "tsv" else chr(10)}line', "é, 漢", "", "no image", "f"]
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
    assert reasons(rows) == ["ok", "malformed", "ok", "bad_encoding", "no_image", "malformed", "ok"]
    assert [row.key for row in rows] == ["k1", "l-000000001", "l-000000002", "l-000000003", "k5", "l-000000005", "k7"]
    assert [row.caption for row in rows if isinstance(row, Sample)] == ["two\r\nlines", None, "last"]
    assert rows_of(path, Columns(encoding="cp1252"))[3].caption == "caf\xe9"


def test_csv_fields_are_long_but_not_endless(tmp_path):
    path = tmp_path / "l.csv"
    path.write_text(f'url,caption\na.jpg,{"x" * 500_000}\nb.jpg,"{"x" * 1_100_000}"\nc.jpg,x\n')
    assert reasons(rows_of(path)) == ["ok", "malformed", "ok"]


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
    bad = "malformed"
    assert reasons(rows) == ["ok", bad, bad, "no_image", "ok", "bad_encoding", "ok", bad]
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
@given(records=RECORDS, rows_per_task=st.integers(1, 12), end=st.sampled_from(["\n", "\r\n"]), quoted=st.booleans())
def test_any_tsv_is_split_without_loss(tmp_path, records, rows_per_task, end, quoted):
    path = tmp_path / "l.tsv"
    records = [
        tuple(" ".join(re.split(r"[\n\r\0]" if quoted else r"[\n\r\0\t]", text)) for text in row) for row in records
    ]
    if not quoted:
        records = [(url, f"c{caption}c") for url, caption in records]
    with path.open("w", newline="", encoding="utf-8") as file:
        if quoted:
            csv.writer(file, delimiter="\t", lineterminator=end).writerows([("u", "c"), *records])
        else:
            file.write("".join("\t".join(row) + end for row in [("u", "c"), *records]))
    check_splitting(path, records, rows_per_task)


@PROPERTY
@given(content=st.binary(max_size=200) | ANY_TEXT.map(str.encode), rows_per_task=st.integers(1, 4))
def test_splits_of_any_bytes_hold_the_rows_of_the_whole(tmp_path, content, rows_per_task):
    for name, head in (("l.csv", b"u,c\n"), ("l.tsv", b"u\tc\n"), ("l.jsonl", b'{"u": "1", "c": "2"}\n')):
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


def write_lines(path: Path, lines: list[str], encoding: str = "utf-8") -> Path:
    path.write_bytes("".join(f"{line}\n" for line in lines).encode(encoding))
    return path


@pytest.mark.parametrize("rows_per_task", [1, 100])
@pytest.mark.parametrize("closed", [True, False])
def test_stray_quotation_mark_in_csv_costs_its_own_row(tmp_path, closed, rows_per_task):
    captions = ['"Untitled, oil', "a man", 'a doll of 12"' if closed else "a doll", "a woman"]
    path = write_lines(tmp_path / "l.csv", ["url,caption", *(f"{i}.jpg,{c}" for i, c in enumerate(captions))])
    rows = rows_of(path, rows_per_task=rows_per_task)
    assert reasons(rows) == ["malformed", "ok", "ok", "ok"]
    assert "stray" in rows[0].message
    assert [row.caption for row in rows[1:]] == captions[1:]


def test_title_in_quotation_marks_is_read_as_it_stands(tmp_path):
    path = write_lines(tmp_path / "l.csv", ["url,caption", 'a.jpg,"Untitled" by X', "b.jpg,b"])
    assert [row.caption for row in rows_of(path)] == ['"Untitled" by X', "b"]


def test_tsv_is_not_quoted_but_for_what_spreadsheets_quote(tmp_path):
    captions = ['"Untitled', 'a 12" doll', 'by "X"', "a, b", '"a ""quoted"" word"', "plain"]
    path = write_lines(tmp_path / "l.tsv", ["url\tcaption", *(f"{i}.jpg\t{c}" for i, c in enumerate(captions))])
    assert [row.caption for row in rows_of(path)] == [*captions[:4], 'a "quoted" word', "plain"]


def test_tsv_record_that_spans_lines_fails_as_one_row(tmp_path):
    lines = ["url\tcaption\tid", 'a.jpg\t"two', 'lines"\tk1', "b.jpg\tb\tk2"]
    rows = rows_of(write_lines(tmp_path / "l.tsv", lines))
    assert reasons(rows) == ["malformed", "ok"]
    assert "next line" in rows[0].message


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("rows_per_task", [1, 100])
def test_lists_of_spreadsheets_in_wide_encodings(tmp_path, encoding, rows_per_task):
    path = write_lines(tmp_path / "l.tsv", ["url\tcaption", "a.jpg\tcaf\xe9 \u2019", "b.jpg\tb"], encoding)
    assert [row.caption for row in rows_of(path, rows_per_task=rows_per_task)] == ["caf\xe9 \u2019", "b"]


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("l.csv", ["url,caption", "a.jpg,caf\xe9", "b.jpg,b"]),
        ("l.jsonl", ['{"url": "a.jpg", "caption": "caf\xe9"}', '{"url": "b.jpg", "caption": "b"}']),
    ],
)
def test_list_in_an_eight_bit_encoding(tmp_path, name, lines):
    path = write_lines(tmp_path / name, lines, "cp1252")
    rows = rows_of(path)
    assert reasons(rows) == ["bad_encoding", "ok"]
    assert "--encoding" in rows[0].message
    assert [row.caption for row in rows_of(path, Columns(encoding="cp1252"))] == ["caf\xe9", "b"]


def test_header_in_an_eight_bit_encoding(tmp_path):
    path = write_lines(tmp_path / "l.csv", ["url,caption,\xe9"], "cp1252")
    with pytest.raises(UsageError, match="--encoding"):
        rows_of(path)


@pytest.mark.parametrize(("ending", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_list_without_a_header(tmp_path, ending, delimiter):
    path = write_lines(tmp_path / f"l.{ending}", [f"a man{delimiter}http://h/a", f"a cat{delimiter}http://h/b.jpg"])
    with pytest.raises(UsageError, match=r"no header: its first line was taken for one.*--columns caption,url"):
        rows_of(path)
    rows = rows_of(path, Columns(header=("caption", "url")), rows_per_task=1)
    assert [(row.uri, row.caption) for row in rows] == [("http://h/a", "a man"), ("http://h/b.jpg", "a cat")]


def test_first_of_several_captions_is_taken_and_it_is_said_once(tmp_path, caplog):
    lists = [["a", "b"], [], None, ["", "c"]]
    (tmp_path / "l.jsonl").write_text("".join(json.dumps({"url": "a.jpg", "text": part}) + "\n" for part in lists))
    table = pa.table({"url": ["a.jpg"] * 4, "text": lists})
    write_images(tmp_path / "l.parquet", table)
    fixed = pa.array([["a", "b"], ["c", "d"]], pa.list_(pa.string(), 2))
    write_images(tmp_path / "fixed.parquet", pa.table({"url": ["a.jpg"] * 2, "text": fixed}))
    for name in ("l.jsonl", "l.parquet"):
        caplog.clear()
        assert [row.caption for row in rows_of(tmp_path / name, rows_per_task=1)] == ["a", None, None, "c"]
        assert [record.message.count("list of captions") for record in caplog.records] == [1]
    assert [row.caption for row in rows_of(tmp_path / "fixed.parquet")] == ["a", "c"]


def test_captions_that_are_json_arrays_in_text(tmp_path):
    path = write_lines(tmp_path / "l.tsv", ["url\tcaption", 'a.jpg\t["a", "b"]', "b.jpg\t[sic]"])
    assert [row.caption for row in rows_of(path)] == ["a", "[sic]"]


def test_caption_that_is_an_object_is_told(tmp_path):
    path = write_lines(tmp_path / "l.jsonl", ['{"url": "a.jpg", "caption": {"en": "a"}}'])
    (row,) = rows_of(path)
    assert row.reason == Reason.NO_CAPTION
    assert "object with the fields en" in row.message


@pytest.mark.parametrize(
    "kind",
    [
        pa.dictionary(pa.int32(), pa.string()),
        pa.dictionary(pa.int32(), pa.large_string()),
        pa.binary(),
        pa.large_binary(),
        pa.large_string(),
        pa.string_view(),
        pa.dictionary(pa.int8(), pa.binary()),
    ],
    ids=str,
)
def test_text_of_every_type(tmp_path, kind):
    columns = {name: pa.array([name]).cast(pa.binary()) for name in ("url", "caption", "key")}
    is_binary = kind == pa.binary() or getattr(kind, "value_type", None) == pa.binary()
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    columns = {name: c if is_binary else c.cast(pa.string()).cast(plain) for name, c in columns.items()}
    if pa.types.is_dictionary(kind):
        columns = {name: column.dictionary_encode() for name, column in columns.items()}
    (row,) = rows_of(write_images(tmp_path / "a.parquet", pa.table(columns)))
    assert (row.key, row.caption, row.uri) == ("key", "caption", f"{tmp_path}/url")


def test_keys_of_pandas(tmp_path):
    table = pa.table({"url": ["a", "b"], "caption": ["a", "b"], "id": [12.0, None]})
    assert [row.key for row in rows_of(write_images(tmp_path / "a.parquet", table))] == ["12", "a-000000001"]
    table = pa.table({"url": ["a"], "caption": ["a"], "__index_level_0__": ["007"]})
    assert [row.key for row in rows_of(write_images(tmp_path / "b.parquet", table))] == ["007"]
    table = pa.table({"url": ["a"], "caption": ["a"], "__index_level_0__": [7]})
    assert [row.key for row in rows_of(write_images(tmp_path / "c.parquet", table))] == ["c-000000000"]


@pytest.mark.parametrize("name", ["l.json", "l.jsonl"])
def test_json_array_is_named(tmp_path, name):
    (tmp_path / name).write_text('[{"url": "a.jpg", "caption": "a"},\n{"url": "b.jpg", "caption": "b"}]')
    with pytest.raises(UsageError, match="jq -c"):
        rows_of(tmp_path / name)


def test_image_column_of_paths(tmp_path):
    table = pa.table({"image": ["sub/a.jpg"], "caption": ["a"]})
    path = write_images(tmp_path / "a.parquet", table)
    for columns in (NONE, Columns(image="image")):
        assert [row.uri for row in rows_of(path, columns)] == [f"{tmp_path}/sub/a.jpg"]


def test_images_in_base64(tmp_path):
    data = b"\xff\xd8\xff\xe0" + bytes(range(200))
    path = write_lines(tmp_path / "l.tsv", ["image\tcaption", f"{base64.b64encode(data).decode()}\ta"])
    (row,) = Fetcher().fetch(rows_of(path))
    assert row.data == data
    assert len(row.source) < 100


def test_images_that_python_printed_into_a_list(tmp_path):
    path = tmp_path / "a.csv"
    images = [
        "{'bytes': b'\\xff\\xd8', 'path': None}",
        "b'\\xff\\xd8'",
        "<PIL.Image.Image image mode=RGB size=2x2 at 0x7F>",
    ]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("image", "text"), *([image, "a man"] for image in images)])
    for row in rows_of(path):
        assert row.reason == Reason.NO_IMAGE
        assert row.source.startswith(f"{path}#")
        assert "xff" not in row.message
        assert "Dataset.to_parquet" in row.message


@pytest.mark.parametrize(
    ("name", "content", "remedy"),
    [
        ("a.csv", "url;caption\na.jpg;a, b\n", "separated by semicolons: save it with commas"),
        ("a.csv", "url\tcaption\na.jpg\ta\n", "separated by tabs: name it .tsv"),
        ("a.tsv", "url,caption\na.jpg,a\n", "separated by commas: name it .csv"),
        ("a.csv", "sep=,\nurl,caption\na.jpg,a\n", "Excel's `sep=`"),
        ("a.csv", "url,caption\ra.jpg,a\r", r"tr '\\r' '\\n'"),
        ("a.tsv", "url\tcaption\ra.jpg\ta\r", r"tr '\\r' '\\n'"),
        ("a.json", '{"url": "a.jpg", "caption": "a"}\n{"url": "b.jpg", "caption": "b"}\n', r"name it \.jsonl"),
    ],
)
def test_lists_that_are_separated_otherwise_are_told_so(tmp_path, name, content, remedy):
    (tmp_path / name).write_bytes(content.encode())
    with pytest.raises(UsageError, match=remedy):
        plan([str(tmp_path / name)], NONE, 10)
