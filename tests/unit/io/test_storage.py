"""Files by URI: written whole or not at all, found by pattern, on a disk, in memory and in an object store."""

import hashlib
import os

import boto3
import fsspec
import pytest

from face0.errors import UsageError
from face0.io import storage
from face0.io.storage import expand, join, write_whole
from tests.fixtures.pictures import contents

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")


class Stop(BaseException):
    """Ends a block as a signal does: it is no Exception."""


def break_off(root: str, name: str, error: type[BaseException], *parts: bytes) -> None:
    with write_whole(root, name) as file:
        for part in parts:
            file.write(part)
        raise error


def uploads() -> list[dict]:
    return boto3.client("s3").list_multipart_uploads(Bucket="face0").get("Uploads", [])


def listed(pattern: str) -> list[tuple[str, int]]:
    return [(file.uri, file.size) for file in expand(pattern)]


def write(uri: str, data: bytes = b"x") -> None:
    fs, path = storage.filesystem(uri)
    fs.makedirs(path.rpartition("/")[0], exist_ok=True)
    fs.pipe_file(path, data)


def test_a_file_is_written_whole(root):
    data = os.urandom(100_000)
    with write_whole(root, "folder/a.bin") as file:
        for start in range(0, len(data), 7000):
            assert file.write(data[start : start + 7000]) == len(data[start : start + 7000])
        assert file.tell() == file.size == len(data)
    assert file.sha256 == hashlib.sha256(data).hexdigest()
    assert {k: v for k, v in contents(root).items() if storage.PARTIAL_DIR not in k} == {"folder/a.bin": data}
    with storage.open_uri(join(root, "folder", "a.bin")) as reading:
        assert reading.read() == data


@pytest.mark.parametrize("error", [ValueError, Stop])
def test_a_block_that_raises_leaves_nothing(root, error):
    with pytest.raises(error):
        break_off(root, "folder/a.bin", error, b"half")
    assert contents(root) == {}


@pytest.mark.parametrize("error", [ValueError, Stop])
def test_a_block_that_raises_leaves_the_old_file(root, error):
    write(join(root, "a.bin"), b"old")
    with pytest.raises(error):
        break_off(root, "a.bin", error, b"half")
    assert contents(root) == {"a.bin": b"old"}


def test_a_file_does_not_show_before_its_end(root):
    write(join(root, "b.bin"), b"old")
    with write_whole(root, "a.bin") as new, write_whole(root, "b.bin") as again:
        new.write(b"new")
        again.write(b"new")
        assert {k: v for k, v in contents(root).items() if storage.PARTIAL_DIR not in k} == {"b.bin": b"old"}
    assert {"a.bin": b"new", "b.bin": b"new"}.items() <= contents(root).items()


def test_nothing_is_uploaded_before_the_end(bucket):
    """What a killed writer would leave of a multipart upload shows in no listing, and is paid for."""
    part = bytes(5 * 2**20)
    with write_whole(f"{bucket}/parts", "whole.bin") as file:
        for _ in range(13):
            file.write(part)
        assert not uploads()
    with pytest.raises(Stop):
        break_off(f"{bucket}/parts", "broken.bin", Stop, *[part] * 13)
    assert contents(f"{bucket}/parts").keys() == {"whole.bin"}
    assert not uploads()


def test_a_large_upload_is_whole(bucket):
    data = os.urandom(2**20) * 60
    with write_whole(f"{bucket}/large", "a.bin") as file:
        for start in range(0, len(data), 2**23):
            file.write(data[start : start + 2**23])
    assert hashlib.sha256(contents(f"{bucket}/large")["a.bin"]).hexdigest() == file.sha256


def test_what_killed_writers_left_is_dropped(tmp_path):
    root = str(tmp_path / "root")
    with write_whole(root, "shards/kept.bin") as file:
        file.write(b"kept")
    write(join(root, storage.PARTIAL_DIR, "left.bin"), b"half")
    storage.drop_partial(root)
    storage.drop_partial(root)
    assert contents(root) == {"shards/kept.bin": b"kept"}
    assert sorted(os.listdir(root)) == ["shards"]


def test_a_pattern_names_files_in_order_with_their_sizes(root):
    for name, size in {"b.tar": 3, "a.tar": 2, "c.txt": 1, "d/e.tar": 4}.items():
        write(join(root, name), bytes(size))
    fs, path = storage.filesystem(root)
    fs.invalidate_cache()
    full = storage.full_uri(fs, path)
    assert listed(join(root, "*.tar")) == [(f"{full}/a.tar", 2), (f"{full}/b.tar", 3)]
    assert listed(join(root, "**/*.tar")) == [(f"{full}/a.tar", 2), (f"{full}/b.tar", 3), (f"{full}/d/e.tar", 4)]
    assert listed(join(root, "[ac].*")) == [(f"{full}/a.tar", 2), (f"{full}/c.txt", 1)]
    assert listed(join(root, "c.txt")) == [(f"{full}/c.txt", 1)]
    assert [storage.open_uri(uri).read() for uri, _ in listed(join(root, "[ac].*"))] == [bytes(2), bytes(1)]


@pytest.mark.parametrize("name", ["none.tar", "*.tar", "none/*.tar"])
def test_nothing_that_matches_is_refused(root, name):
    write(join(root, "a.txt"))
    with pytest.raises(UsageError, match=r"no file matches .*quote"):
        expand(join(root, name))


@pytest.mark.parametrize(
    "name", ["a[1].tar", "a*.tar", "a?.tar", "a#b.tar", "a b.tar", "ä%41.tar", "a::b.tar", "a://b"]
)
def test_a_local_file_of_any_name_is_found_by_it(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"12")
    (tmp_path / "a1.tar").write_bytes(b"1")
    (tmp_path / "a").exists() or (tmp_path / "a").write_bytes(b"")
    ((uri, size),) = listed(str(tmp_path / name))
    assert (os.path.normpath(uri), size) == (os.path.normpath(tmp_path / name), 2)
    with storage.open_uri(uri) as file:
        assert file.read() == b"12"


def test_a_relative_path_becomes_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.tar").write_bytes(b"12")
    assert listed("./a.tar") == listed("*.tar") == listed(f"file://{tmp_path}/a.tar") == [(f"{tmp_path}/a.tar", 2)]


@pytest.mark.parametrize("uri", ["nonsense://bucket/a", "hdfs2://x/y.tar"])
def test_a_protocol_that_is_not_installed_is_refused(uri):
    with pytest.raises(UsageError, match=f"cannot open '{uri}'"):
        expand(uri)


def test_uris_are_joined_by_single_slashes():
    assert join("s3://bucket/a/", "b", "c") == join("s3://bucket/a", "b/c") == "s3://bucket/a/b/c"


def test_the_server_is_a_real_one(bucket):
    """What the tests say of S3 was sent over a socket: another client sees it."""
    with write_whole(f"{bucket}/seen", "a.bin") as file:
        file.write(b"seen")
    assert boto3.client("s3").get_object(Bucket="face0", Key="seen/a.bin")["Body"].read() == b"seen"
    assert fsspec.filesystem("s3").exists("face0/seen/a.bin")
