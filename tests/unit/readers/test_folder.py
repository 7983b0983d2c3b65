"""Folders of images, with captions beside them or in a list."""

import json
import os
import tarfile
import unicodedata
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from face0.errors import UsageError
from face0.readers import folder
from face0.readers.access import Access
from face0.readers.fetching import Fetcher
from face0.readers.planning import plan
from face0.readers.samples import Columns, Sample
from schemas.failures import Failure, Reason
from tests.fixtures.inputs import NONE, captioned, reasons, rows_of, write_tar
from tests.fixtures.kinds import picture


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


def test_links_out_of_a_folder_are_not_followed_unless_allowed(tmp_path):
    (tmp_path / "elsewhere.txt").write_bytes(b"private")
    root = write_files(tmp_path / "in", {"a.jpg": b"1", "b.jpg": b"2", "b.txt": b"caption"})
    (root / "a.txt").symlink_to(tmp_path / "elsewhere.txt")
    (splits,) = plan([str(root)], NONE, 10)
    refused, other = folder.read(splits, NONE)
    assert isinstance(refused, Failure)
    assert (refused.key, refused.source, refused.reason) == ("a", f"{root}/a.jpg", Reason.NOT_ALLOWED)
    assert f"--allow file://{tmp_path}/" in refused.message
    assert other.caption == "caption"
    row, _ = folder.read(splits, NONE, Access.of([f"{tmp_path}"]))
    assert row.caption == "private"


@pytest.mark.parametrize("name", ["metadata.jsonl", "metadata.csv"])
def test_a_list_that_is_a_link_out_of_its_folder_is_not_read(tmp_path, name):
    private = tmp_path / f"private.{name.rpartition('.')[2]}"
    private.write_text(
        '{"file_name": "a.jpg", "text": "a"}\n' if name.endswith("jsonl") else "file_name,text\na.jpg,a\n"
    )
    root = write_files(tmp_path / "in", {"a.jpg": b"1"})
    (root / name).symlink_to(private)
    with pytest.raises(UsageError, match="--allow file://"):
        plan([str(root)], NONE, 10)
    assert len(plan([str(root)], NONE, 10, Access.of(["file"]))) == 1


def test_links_to_folders_are_followed_once_where_it_is_allowed(tmp_path):
    root = write_files(tmp_path / "in", {"a.jpg": b"1", "a.txt": b"a", "sub/b.jpg": b"2", "sub/b.txt": b"b"})
    elsewhere = write_files(tmp_path / "elsewhere", {"c.jpg": b"3", "c.txt": b"c", "d/e.jpg": b"4", "d/e.txt": b"e"})
    for name, target in {"again": root / "sub", "loop": root, "one": elsewhere, "two": elsewhere}.items():
        (root / name).symlink_to(target)
    (elsewhere / "back").symlink_to(root)
    rows = rows_of(root)
    assert [row.key for row in rows] == ["a", "sub/b", "one", "two"]
    assert reasons(rows) == ["ok", "ok", "not_allowed", "not_allowed"]
    assert f"--allow file://{elsewhere}/" in rows[2].message
    access = Access.of([str(elsewhere)])
    splits = plan([str(root)], NONE, 10, access)
    rows = list(Fetcher(access=access).fetch(row for split in splits for row in folder.read(split, NONE, access)))
    assert [(row.key, row.caption, row.data) for row in rows] == [
        ("a", "a", b"1"),
        ("sub/b", "b", b"2"),
        ("one/c", "c", b"3"),
        ("one/d/e", "e", b"4"),
    ]
    # The tasks of what was read before stay as they are.
    assert splits[0] == plan([str(root)], NONE, 10)[0]


def test_captions_of_whole_names_and_of_other_endings(tmp_path):
    files = {
        **{"a.jpg": b"1", "a.jpg.txt": b"a", "b.jpg": b"2", "b.caption": b"b", "c.jpg": b"3", "c.cap": b"c"},
        **{"d.jpg": b"4", "d.jpg.txt": b"jpg", "d.png": b"5", "d.png.txt": b"png"},
        **{"IMG.2020.01.jpg": b"6", "IMG.2020.01.txt": b"i", "IMG.2020.02.jpg": b"7", "IMG.2020.02.txt": b"j"},
    }
    rows = rows_of(write_files(tmp_path / "in", files))
    captions = {row.key: row.caption for row in rows}
    images = {"IMG.2020.01": "i", "IMG.2020.02": "j"}
    assert captions == {"a": "a", "b": "b", "c": "c", "d.jpg": "jpg", "d.png": "png", **images}
    assert len(rows) == len(captions)


def test_captions_of_an_ending_that_is_not_known_are_named_and_read_with_the_option(tmp_path, caplog):
    files = {f"{i}.jpg": b"1" for i in range(9)} | {f"{i}.blip": b"%d" % i for i in range(8)}
    root = write_files(tmp_path / "in", files)
    assert {row.caption for row in rows_of(root)} == {None}
    (line,) = (line for line in caplog.messages if "--caption-ending" in line)
    assert line.startswith(f"{root}: 8 images")
    assert "--caption-ending blip" in line
    rows = rows_of(root, Columns(caption_ending="blip"))
    assert [row.caption for row in rows] == [*map(str, range(8)), None]


def test_what_is_left_out_is_counted_and_named(tmp_path, caplog):
    caplog.set_level("INFO")
    files = {
        **{"a.jpg": b"1", "a.txt": b"a", ".hidden.jpg": b"", "film.mp4": b"", "more.zip": b"", "list.csv": b""},
        **{"00000_stats.json": b"{}", "00000.parquet": b"", "Thumbs.db": b""},
        **{f"n{i}.npy": b"" for i in range(7)},
        **{"m/b.jpg": b"2", "m/c.jpg": b"3", "m/metadata.csv": b"file_name,text\nb.jpg,b\n", "m/metadata.tsv": b""},
    }
    rows = rows_of(write_files(tmp_path / "in", files))
    assert [row.caption for row in rows] == ["b", "a"]
    (line,) = (line for line in caplog.messages if "left out" in line)
    for part in ("film.mp4", "7 .npy", "more.zip (a ZIP archive", "list.csv", "1 hidden", "00000_stats.json"):
        assert part in line
    assert "m/metadata.tsv (beside m/metadata.csv" in line
    assert "1 images that m/metadata.csv does not name" in line
    assert "Thumbs" not in line


def test_images_that_are_not_decoded_are_failures(tmp_path):
    files = {
        "a.nef": b"raw",
        "a.txt": b"a",
        "b.nef": b"raw",
        "b.jpg": b"1",
        "b.txt": b"b",
        "c.JPE": b"2",
        "c.txt": b"c",
    }
    rows = rows_of(write_files(tmp_path / "in", files))
    assert [row.key for row in rows] == ["a", "b", "c"]
    assert reasons(rows) == ["unsupported", "ok", "ok"]
    assert "a.nef" in rows[0].message
    assert rows[1].uri.endswith("b.jpg")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.tar.gz", "'{}/*.tar.gz'"),
        ("data/a.parquet", "'{}/**/*.parquet'"),
        ("a.arrow", "'{}/*.arrow'"),
        ("a.zip", "unzip"),
        ("a.mds", "read-your-format.md"),
    ],
)
def test_folder_of_other_things_says_what_they_are(tmp_path, name, words):
    root = write_files(tmp_path / "in", {name: b"", ".hidden": b""})
    with pytest.raises(UsageError) as error:
        plan([str(root)], NONE, 10)
    assert words.format(root) in str(error.value)


LISTED = ["../secret.jpg", "{0}/secret.jpg", "file://{0}/secret.jpg", "local://{0}/secret.jpg", "%2e%2e/secret.jpg"]


@pytest.mark.parametrize("name", ["metadata.jsonl", "metadata.csv", "metadata.parquet", "list.jsonl", "bytes.parquet"])
def test_a_list_names_nothing_outside_of_its_folder(tmp_path, name):
    root = write_files(tmp_path / "in", {"a.jpg": b"1", "sub/b.jpg": b"2"})
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    names = ["a.jpg", *(text.format(tmp_path) for text in [*LISTED, "..\\secret.jpg", "zip://a::{0}/secret.jpg"])]
    records = [{"file_name": text, "text": "a"} for text in names]
    path = root / name
    if name == "bytes.parquet":
        kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        images = pa.array([{"bytes": None, "path": text} for text in names], kind)
        pq.write_table(pa.table({"image": images, "text": ["a"] * len(names)}), path)
    elif name.endswith("parquet"):
        pq.write_table(pa.Table.from_pylist(records), path)
    elif name.endswith("csv"):
        path.write_text("file_name,text\n" + "".join(f"{text},a\n" for text in names))
    else:
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    own, *others = Fetcher().fetch(rows_of(root if name.startswith("metadata") else path))
    assert own.data == b"1"
    assert len(others) == len(names) - 1
    assert {row.reason for row in others} == {Reason.NOT_ALLOWED}
    assert not any("secret" in row.message.removeprefix(row.source) for row in others)


@pytest.mark.parametrize("caption", ["\u00e9.txt", "\u00e9.jpg.txt"])
def test_names_of_a_mac_and_captions_of_another_system_belong_together(tmp_path, caption):
    image = unicodedata.normalize("NFD", "\u00e9.jpg")
    (tmp_path / image).write_bytes(picture())
    (tmp_path / caption).write_text("a man")
    (row,) = Fetcher().fetch(rows_of(tmp_path))
    assert (row.caption, row.data) == ("a man", picture())
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(tmp_path / image, image)
        archive.add(tmp_path / caption, caption)
    (row,) = rows_of(tmp_path / "a.tar")
    assert (row.key, row.caption, row.data) == ("\u00e9", "a man", picture())


def test_metadata_of_windows(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "a.jpg").write_bytes(picture())
    (tmp_path / "metadata.csv").write_text("file_name,text\ntrain\\a.jpg,a\n..\\a.jpg,b\n")
    rows = list(Fetcher().fetch(rows_of(tmp_path)))
    assert rows[0].data == picture()
    assert rows[1].reason == Reason.NOT_ALLOWED
