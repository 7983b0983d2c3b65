"""Readers: every row of an input comes out, as a sample or as a failure with its reason."""

import csv
import gzip
import io
import json
import os
import tarfile
import tracemalloc
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from face0.errors import UsageError
from face0.readers import folder, parquet_images, uri_list, webdataset
from face0.readers.captions import well_formed
from face0.readers.columns import find_caption, find_image, find_key, find_url, text_schema
from face0.readers.planning import plan, read
from face0.readers.samples import Columns, Sample, Split
from face0.readers.uris import resolve, split_extension
from schemas.failures import Failure, Reason

NONE = Columns()


def rows_of(uri: Path | str, columns: Columns = NONE, rows_per_task: int = 1000) -> list[Sample | Failure]:
    splits = plan([str(uri)], columns, rows_per_task)
    assert len({split.task_id for split in splits}) == len(splits)
    return [row for split in splits for row in read(split, columns)]


def reasons(rows: list[Sample | Failure]) -> list[str]:
    return [str(row.reason) if isinstance(row, Failure) else "ok" for row in rows]


# --- Tars


def tar_bytes(members: list[tuple[str, bytes]], mode: str = "w", **options) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, **options) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def write_tar(path: Path, members: list[tuple[str, bytes]], mode: str = "w") -> Path:
    path.write_bytes(tar_bytes(members, mode))
    return path


def captioned(count: int) -> list[tuple[str, bytes]]:
    return [
        member
        for i in range(count)
        for member in ((f"{i:05d}.jpg", b"image %d" % i), (f"{i:05d}.txt", b"caption %d" % i))
    ]


@pytest.mark.parametrize(("ending", "mode"), [("tar", "w"), ("tar.gz", "w:gz"), ("tgz", "w:gz"), ("tar.xz", "w:xz")])
def test_tar_yields_image_and_caption(tmp_path, ending, mode):
    path = write_tar(tmp_path / f"a.{ending}", captioned(3), mode)
    assert rows_of(path) == [
        Sample(key=f"{i:05d}", source=f"{path}#{i:05d}.jpg", caption=f"caption {i}", data=b"image %d" % i)
        for i in range(3)
    ]


def test_tar_on_another_file_system():
    with fsspec.open("memory://tars/a.tar", "wb") as file:
        file.write(tar_bytes(captioned(2)))
    rows = rows_of("memory://tars/*.tar")
    assert [row.source for row in rows] == ["memory:///tars/a.tar#00000.jpg", "memory:///tars/a.tar#00001.jpg"]


def test_tar_rows_are_told_apart_by_the_path_up_to_the_last_dot(tmp_path):
    path = write_tar(
        tmp_path / "a.tar",
        [("./v1.0/a.b.JPG", b"1"), ("./v1.0/a.b.txt", b"x"), ("v1.0/a.c.WebP", b"2"), ("v2.0/a.c.TIFF", b"3")],
    )
    rows = rows_of(path)
    assert [(row.key, row.caption) for row in rows] == [("v1.0/a.b", "x"), ("v1.0/a.c", None), ("v2.0/a.c", None)]


def test_tar_skips_what_programs_leave_behind(tmp_path):
    members = [("._a.jpg", b"mac"), ("PaxHeaders.12/a.jpg", b"pax"), ("d/.DS_Store", b"mac"), ("a.jpg", b"image")]
    path = tmp_path / "a.tar"
    buffer = io.BytesIO(tar_bytes(members))
    with tarfile.open(fileobj=buffer, mode="a") as tar:
        directory = tarfile.TarInfo("folder.jpg")
        directory.type = tarfile.DIRTYPE
        tar.addfile(directory)
    path.write_bytes(buffer.getvalue())
    assert [(row.key, row.data) for row in rows_of(path)] == [("a", b"image")]


def test_tar_row_without_image_and_second_image_fail(tmp_path):
    members = [("a.txt", b"x"), ("b.jpg", b"1"), ("b.png", b"2"), ("b.txt", b"y"), ("c.mp4", b"film"), ("d.jpg", b"3")]
    rows = rows_of(write_tar(tmp_path / "a.tar", members))
    assert [row.key for row in rows] == ["a", "b", "b", "c", "d"]
    assert reasons(rows) == ["no_image", "ok", "duplicate_key", "no_image", "ok"]
    assert rows[1].caption == "y"
    assert rows[2].source.endswith("a.tar#b.png")


def test_tar_member_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(webdataset, "MAX_MEMBER_BYTES", 10)
    members = [("a.jpg", b"x" * 11), ("a.txt", b"a"), ("b.jpg", b"x" * 10), ("b.txt", b"b")]
    rows = rows_of(write_tar(tmp_path / "a.tar", members))
    assert reasons(rows) == ["too_large", "ok"]


def test_tar_link_is_a_failure(tmp_path):
    path = tmp_path / "a.tar"
    buffer = io.BytesIO(tar_bytes([("a.jpg", b"1"), ("a.txt", b"x")]))
    with tarfile.open(fileobj=buffer, mode="a") as tar:
        link = tarfile.TarInfo("b.jpg")
        link.type, link.linkname = tarfile.LNKTYPE, "a.jpg"
        tar.addfile(link)
    path.write_bytes(buffer.getvalue())
    assert reasons(rows_of(path)) == ["ok", "unsupported"]


@pytest.mark.parametrize(
    ("sidecars", "given", "caption"),
    [
        ({"txt": b"\xef\xbb\xbf a dog\r\n", "json": b'{"caption": "a cat"}'}, None, "a dog"),
        ({"txt": b"a dog", "json": b'{"alt": "a cat"}'}, "alt", "a cat"),
        ({"txt": b"a dog", "json": b'{"caption": "a cat"}'}, "alt", "a dog"),
        ({"txt": b"\xff\xfe", "json": b'{"TEXT": "a cat"}'}, None, "a cat"),
        ({"txt": b"  \n", "json": b'{"caption": "a cat"}'}, None, "a cat"),
        ({"json": b'{"text": "later", "caption": "a cat"}'}, None, "a cat"),
        ({"json": b'{"caption": "half \\ud83d"}'}, None, "half \ufffd"),
        ({"json": b'{"caption": ["a", "list"]}'}, None, None),
        ({"json": b'{"caption": "a cat'}, None, None),
        ({"json": b"[" * 100_000}, None, None),
        ({"json": b'["a cat"]'}, None, None),
        ({"txt": b"\xff"}, None, None),
        ({}, None, None),
    ],
)
def test_tar_and_folder_find_the_same_caption(tmp_path, sidecars, given, caption):
    members = [("a.jpg", b"image"), *((f"a.{extension}", content) for extension, content in sidecars.items())]
    columns = Columns(caption=given)
    (tmp_path / "images").mkdir()
    for name, content in members:
        (tmp_path / "images" / name).write_bytes(content)
    for path in (write_tar(tmp_path / "a.tar", members), tmp_path / "images"):
        assert [row.caption for row in rows_of(path, columns)] == [caption]


def test_tar_name_that_is_not_utf8_can_be_stored(tmp_path):
    path = tmp_path / "a.tar"
    path.write_bytes(tar_bytes([("caf\udce9.jpg", b"1")], format=tarfile.GNU_FORMAT))
    (row,) = rows_of(path)
    row.key.encode("utf-8")
    row.source.encode("utf-8")


WHOLE = [(f"{i:02d}", b"j" * (100 + 300 * i), b"caption %d" % i) for i in range(5)]


def whole_tar() -> tuple[bytes, list[int], int]:
    """A tar, the byte at which each of its rows is complete, and that of a complete end marker."""
    members, ends, position = [], [], 0
    for key, image, caption in WHOLE:
        for name, content in ((f"{key}.jpg", image), (f"{key}.txt", caption)):
            members.append((name, content))
            position += 512
            ends.append(position + len(content))
            position += -(-len(content) // 512) * 512
    return tar_bytes(members), ends[1::2], position + 512


def test_truncated_tar_keeps_every_complete_row_and_says_that_it_broke_off(tmp_path):
    content, ends, whole = whole_tar()
    path = tmp_path / "cut.tar"
    cuts = {*range(0, len(content), 97), *(e + d for e in (*ends, whole) for d in (-1, 0, 1)), *range(0, whole, 512)}
    for cut in sorted(cuts):
        path.write_bytes(content[:cut])
        rows = list(webdataset.read(Split(reader="webdataset", uri=str(path), size=cut), NONE))
        complete = sum(end <= cut for end in ends)
        assert [row.key for row in rows[:complete]] == [key for key, _, _ in WHOLE[:complete]], cut
        assert [row.data for row in rows[:complete]] == [image for _, image, _ in WHOLE[:complete]], cut
        assert reasons(rows[complete:]) == ([] if cut >= whole else ["unreadable_input"]), cut
        if cut < whole:
            assert rows[-1].key == "cut.tar#remainder"


def test_truncated_gzip_and_garbage_yield_one_failure(tmp_path):
    content = gzip.compress(whole_tar()[0])
    path = tmp_path / "cut.tar.gz"
    for cut in range(0, len(content) - 30):
        path.write_bytes(content[:cut])
        rows = list(webdataset.read(Split(reader="webdataset", uri=str(path), size=cut), NONE))
        assert reasons(rows)[-1:] == ["unreadable_input"], cut
        assert set(reasons(rows)[:-1]) <= {"ok"}, cut


@pytest.mark.parametrize("content", [b"", b"no tar", b"<html>" * 1000, b"\x1f\x8b\x08garbage" * 100])
def test_object_that_is_no_tar_is_one_failure(tmp_path, content):
    path = tmp_path / "a.tar"
    path.write_bytes(content)
    assert reasons(rows_of(path)) == ["unreadable_input"]


def test_tar_that_is_gone_is_one_failure(tmp_path):
    split = Split(reader="webdataset", uri=str(tmp_path / "gone.tar"), size=1)
    assert reasons(list(read(split, NONE))) == ["unreadable_input"]


def test_protocol_that_is_not_installed_here_is_no_failure_of_the_row():
    with pytest.raises(UsageError):
        list(read(Split(reader="webdataset", uri="nosuch://a.tar", size=1), NONE))


def test_corrupt_header_in_the_middle(tmp_path):
    content, ends, _ = whole_tar()
    broken = bytearray(content)
    start = -(-ends[1] // 512) * 512
    broken[start + 150] ^= 0xFF
    path = tmp_path / "a.tar"
    path.write_bytes(broken)
    assert reasons(rows_of(path)) == ["ok", "ok", "unreadable_input"]


def test_second_tar_behind_the_first_does_not_vanish(tmp_path):
    path = tmp_path / "a.tar"
    path.write_bytes(tar_bytes(captioned(1)) + tar_bytes(captioned(1)))
    assert reasons(rows_of(path)) == ["ok", "unreadable_input"]


def test_tar_is_read_in_flat_memory(tmp_path):
    path = write_tar(tmp_path / "many.tar", [(f"{i:06d}.jpg", b"x" * 100) for i in range(20_000)])
    (split,) = plan([str(path)], NONE, 1000)
    tracemalloc.start()
    try:
        assert sum(1 for _ in read(split, NONE)) == 20_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_500_000


# --- Parquet with images


def write_images(path: Path, table: pa.Table, group: int = 10, **options) -> Path:
    pq.write_table(table, path, row_group_size=group, **options)
    return path


def images(count: int, **columns) -> pa.Table:
    return pa.table(
        {"jpg": [b"image %d" % i for i in range(count)], "caption": [f"c{i}" for i in range(count)], **columns}
    )


@pytest.mark.parametrize(
    ("rows_per_task", "shares"), [(1, [10, 10, 10, 5]), (10, [10, 10, 10, 5]), (25, [20, 15]), (99, [35])]
)
def test_parquet_is_cut_between_row_groups(tmp_path, rows_per_task, shares):
    path = write_images(tmp_path / "a.parquet", images(35))
    splits = plan([str(path)], NONE, rows_per_task)
    assert [split.rows for split in splits] == shares
    rows = [list(read(split, NONE)) for split in splits]
    assert [len(part) for part in rows] == shares
    assert [row for part in rows for row in part] == [
        Sample(key=f"a-{i:09d}", source=f"{path}#{i}", caption=f"c{i}", data=b"image %d" % i) for i in range(35)
    ]


def test_parquet_of_hugging_face(tmp_path):
    values = [
        {"bytes": b"1", "path": "x.jpg"},
        {"bytes": None, "path": "sub/y.jpg"},
        {"bytes": None, "path": None},
        None,
    ]
    table = pa.table({"image": values, "text": ["a", None, "c", "d"], "id": [7, 8, None, 9]})
    rows = rows_of(write_images(tmp_path / "a.parquet", table))
    assert reasons(rows) == ["ok", "ok", "no_image", "no_image"]
    assert [row.key for row in rows] == ["7", "8", "a-000000002", "9"]
    assert (rows[0].data, rows[0].uri) == (b"1", None)
    assert (rows[1].data, rows[1].uri, rows[1].caption) == (None, f"{tmp_path}/sub/y.jpg", None)


@pytest.mark.parametrize("kind", [pa.large_string(), pa.dictionary(pa.int32(), pa.string()), pa.string_view()])
def test_parquet_captions_of_any_string_type(tmp_path, kind):
    table = images(3).set_column(1, "caption", pa.array(["é", None, "c"]).cast(kind))
    assert [row.caption for row in rows_of(write_images(tmp_path / "a.parquet", table))] == ["é", None, "c"]


def test_parquet_caption_that_is_not_utf8_spoils_no_other_row(tmp_path):
    bad = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0"), pa.py_buffer(b"a\xff")]
    )
    table = images(2).set_column(1, "caption", bad)
    assert [row.caption for row in rows_of(write_images(tmp_path / "a.parquet", table))] == ["a", "\ufffd"]


def spoil_row_group(path: Path, group: int, column: int = 0) -> None:
    chunk = pq.ParquetFile(path).metadata.row_group(group).column(column)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    content = bytearray(path.read_bytes())
    content[start : start + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
    path.write_bytes(content)


def test_parquet_row_group_that_is_corrupt_costs_its_own_rows_only(tmp_path):
    path = write_images(tmp_path / "a.parquet", images(35))
    spoil_row_group(path, 1)
    rows = rows_of(path)
    assert reasons(rows) == ["ok"] * 10 + ["unreadable_input"] + ["ok"] * 15
    assert rows[10].key == "a.parquet#rows 10 to 19"
    assert rows[11].key == "a-000000020"
    assert rows[11].data == b"image 20"


def test_parquet_list_with_a_corrupt_row_group_names_the_rows_of_each_split(tmp_path):
    path = write_images(tmp_path / "l.parquet", pa.table({"URL": [f"/{i}" for i in range(30)], "TEXT": ["x"] * 30}))
    spoil_row_group(path, 1)
    rows = rows_of(path, rows_per_task=8)
    assert [row.key for row in rows if isinstance(row, Failure)] == [
        "l.parquet#rows 10 to 15",
        "l.parquet#rows 16 to 19",
    ]
    assert [row.uri for row in rows if isinstance(row, Sample)] == [f"/{i}" for i in (*range(10), *range(20, 30))]


@pytest.mark.parametrize("keep", [0, 3, 100])
def test_parquet_without_a_footer_is_one_failure(tmp_path, keep):
    path = write_images(tmp_path / "a.parquet", images(35))
    path.write_bytes(path.read_bytes()[:keep])
    assert len(plan([str(path)], NONE, 5)) == 1
    assert reasons(rows_of(path, rows_per_task=5)) == ["unreadable_input"]


def test_parquet_images_are_read_a_few_at_a_time(tmp_path):
    blob = os.urandom(100_000)
    table = pa.table({"jpg": [blob[i:] for i in range(1000)], "caption": ["x"] * 1000})
    # A page is the least that can be read: by default Arrow closes one only every 1024 rows.
    path = write_images(tmp_path / "a.parquet", table, 1000, use_dictionary=False, write_batch_size=16)
    (split,) = plan([str(path)], NONE, 1000)
    del table
    before = pa.total_allocated_bytes()
    # Arrow reads Python's files into Python's memory.
    tracemalloc.start()
    try:
        arrow_peak = max(pa.total_allocated_bytes() - before for _ in read(split, NONE))
        python_peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert arrow_peak < 40_000_000
    assert python_peak < 40_000_000


# --- Lists


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


def test_list_that_is_gone_after_planning_is_one_failure(tmp_path):
    path = tmp_path / "l.csv"
    path.write_text("url,caption\na.jpg,a\nb.jpg,b\n")
    splits = plan([str(path)], NONE, 1)
    path.unlink()
    rows = [row for split in splits for row in read(split, NONE)]
    assert reasons(rows) == ["unreadable_input"] * 2
    assert len({row.key for row in rows}) == 2


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


# --- Directories


def write_files(root: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def test_folder_with_sidecars(tmp_path):
    files = {
        "a.jpg": b"1",
        "a.txt": b"caption a",
        "sub/b.PNG": b"2",
        "sub/b.json": b'{"caption": "caption b"}',
        "sub/a.jpg": b"3",
        "c.jpg": b"4",
        "c.png": b"5",
        "c.txt": b"caption c",
        "d.txt": b"no image",
        "e.mp4": b"ignored",
        ".hidden.jpg": b"ignored",
        ".git/x.jpg": b"ignored",
    }
    root = write_files(tmp_path / "in", files)
    rows = rows_of(root, rows_per_task=2)
    assert [(row.key, getattr(row, "caption", row)) for row in rows if isinstance(row, Sample)] == [
        ("a", "caption a"),
        ("c", "caption c"),
        ("c", "caption c"),
        ("sub/a", None),
        ("sub/b", "caption b"),
    ]
    assert [(row.key, row.reason) for row in rows if isinstance(row, Failure)] == [("d", Reason.NO_IMAGE)]
    assert rows[-1].uri == f"{root}/sub/b.PNG"
    splits = plan([str(root)], NONE, 2)
    assert sum(split.rows for split in splits) == len(rows)
    assert len(splits) == 3


def test_folder_does_not_open_pipes(tmp_path):
    root = write_files(tmp_path / "in", {"a.jpg": b"1"})
    os.mkfifo(root / "a.txt")
    assert [row.caption for row in rows_of(root)] == [None]


def test_folder_follows_links_to_files(tmp_path):
    root = write_files(tmp_path / "in", {"a.txt": b"x"})
    (tmp_path / "elsewhere.jpg").write_bytes(b"1")
    (root / "a.jpg").symlink_to(tmp_path / "elsewhere.jpg")
    assert [(row.key, row.caption) for row in rows_of(root)] == [("a", "x")]


@pytest.mark.parametrize("name", ["metadata.jsonl", "metadata.csv", "metadata.parquet"])
def test_folder_with_a_list(tmp_path, name):
    root = write_files(tmp_path / "in", {"train/x/a.jpg": b"1", "train/unlisted.jpg": b"2", "free/b.jpg": b"3"})
    record = {"file_name": "x/a.jpg", "url": "http://elsewhere/a.jpg", "text": "a"}
    path = root / "train" / name
    if name.endswith("parquet"):
        pq.write_table(pa.Table.from_pylist([record]), path)
    elif name.endswith("csv"):
        path.write_text("file_name,url,text\n" + ",".join(record.values()))
    else:
        path.write_text(json.dumps(record))
    rows = rows_of(root)
    assert [(row.uri, row.caption) for row in rows] == [(f"{root}/train/x/a.jpg", "a"), (f"{root}/free/b.jpg", None)]


def test_folder_on_another_file_system():
    for name, content in {"a.jpg": b"1", "a.txt": b"x"}.items():
        with fsspec.open(f"memory://images/{name}", "wb") as file:
            file.write(content)
    assert [(row.uri, row.caption) for row in rows_of("memory://images")] == [("memory:///images/a.jpg", "x")]


def test_folder_caption_that_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "MAX_SIDECAR_BYTES", 5)
    root = write_files(tmp_path / "in", {"a.jpg": b"1", "a.txt": b"123456", "b.jpg": b"1", "b.txt": b"12345"})
    assert reasons(rows_of(root)) == ["too_large", "ok"]


def test_folder_without_images_is_refused(tmp_path):
    write_tar(tmp_path / "a.tar", captioned(1))
    with pytest.raises(UsageError, match=r"\*\.tar"):
        plan([str(tmp_path)], NONE, 10)


# --- Which reader, which columns


def test_inputs_are_planned_once_each_in_order(tmp_path):
    for name in ("b.tar", "a.tar"):
        write_tar(tmp_path / name, captioned(1))
    splits = plan([f"{tmp_path}/b.tar", f"{tmp_path}/*.tar", f"file://{tmp_path}/a.tar"], NONE, 10)
    assert [Path(split.uri).name for split in splits] == ["b.tar", "a.tar"]


def test_unknown_ending_and_no_match_are_refused(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"")
    with pytest.raises(UsageError, match=r"\.tar.*\.parquet.*\.jsonl"):
        plan([f"{tmp_path}/a.zip"], NONE, 10)
    with pytest.raises(UsageError, match="no file matches"):
        plan([f"{tmp_path}/b.tar"], NONE, 10)


@pytest.mark.parametrize(
    ("table", "columns", "reader"),
    [
        ({"image": [b"1"], "url": ["u"], "caption": ["c"]}, NONE, "parquet_images"),
        ({"image": [b"1"], "url": ["u"], "caption": ["c"]}, Columns(url="url"), "uri_list"),
        ({"image": ["a.jpg"], "caption": ["c"]}, NONE, "uri_list"),
        ({"URL": ["u"], "TEXT": ["c"]}, NONE, "uri_list"),
        ({"photo": [b"1"], "url": ["u"], "caption": ["c"]}, Columns(image="photo"), "parquet_images"),
    ],
)
def test_parquet_goes_to_the_reader_of_its_columns(tmp_path, table, columns, reader):
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    (split,) = plan([f"{tmp_path}/a.parquet"], columns, 10)
    assert split.reader == reader
    assert reasons(list(read(split, columns))) == ["ok"]


@pytest.mark.parametrize(
    ("content", "columns", "message"),
    [
        ({"x": ["u"], "caption": ["c"]}, NONE, r"--url-column.*x \(string\)"),
        ({"url": ["u"], "words": ["c"]}, NONE, r"--caption-column.*words"),
        ({"url": ["u"], "caption": ["c"]}, Columns(caption="alt"), r"'alt'.*--caption-column.*url"),
        ({"url": ["u"], "caption": ["c"]}, Columns(key="nr"), r"'nr'.*--key-column"),
        ({"url": ["u"], "caption": ["c"]}, Columns(image="jpg"), r"'jpg'.*--image-column"),
        ({"url": ["u"], "caption": [["c"]]}, Columns(caption="caption"), r"cannot be the caption.*--caption-column"),
    ],
)
def test_columns_that_are_not_there_are_refused_at_planning(tmp_path, content, columns, message):
    pq.write_table(pa.table(content), tmp_path / "a.parquet")
    with pytest.raises(UsageError, match=message):
        plan([f"{tmp_path}/a.parquet"], columns, 10)


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_empty_list_is_refused_at_planning(tmp_path, ending):
    (tmp_path / f"a.{ending}").write_bytes(b"")
    with pytest.raises(UsageError):
        plan([f"{tmp_path}/a.{ending}"], NONE, 10)


def test_columns_by_convention():
    schema = pa.schema(
        [
            ("Image", pa.string()),
            ("PNG", pa.binary()),
            ("TEXT", pa.string()),
            ("caption", pa.int32()),
            ("ID", pa.int64()),
        ]
    )
    assert find_image(schema, None, "f") == "PNG"
    assert find_caption(schema, None, "f") == "TEXT"
    assert find_url(schema, None, "f") == "Image"
    assert find_key(schema, None, "f") == "ID"
    assert find_key(text_schema(["a"]), None, "f") is None
    with pytest.raises(UsageError, match="2 columns"):
        find_url(text_schema(["url", "url"]), None, "f")


def test_locations():
    assert split_extension("a.v1/b") == ("a.v1/b", "")
    assert split_extension("a.v1/b.c.JPG") == ("a.v1/b.c", "jpg")
    assert split_extension("a/.hidden") == ("a/.hidden", "")
    assert resolve("data:image/png;base64,AA", "/f") == "data:image/png;base64,AA"
    assert resolve("a b/c.jpg", "s3://bucket/f") == "s3://bucket/f/a b/c.jpg"
    assert well_formed("a\ud83d\ude00b\ude00") == "a😀b\ufffd"
    assert list(parquet_images.plan("/gone.parquet", 3, NONE, 5)) == [
        Split(reader="parquet_images", uri="/gone.parquet", size=3)
    ]
