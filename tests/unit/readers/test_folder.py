"""Folders of images, with captions beside them or in a list."""

import json
import os
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
from face0.readers.samples import Sample
from schemas.failures import Failure, Reason
from tests.fixtures.inputs import NONE, captioned, reasons, rows_of, write_tar


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


def test_links_to_folders_are_said(tmp_path, caplog):
    root = write_files(tmp_path / "in", {"a.jpg": b"1", "elsewhere/b.jpg": b"2"})
    (root / "more").symlink_to(root / "elsewhere")
    plan([str(root)], NONE, 10)
    assert f"{root}/more is a link to a folder" in caplog.text


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
