"""Nothing is passed over because a listing failed."""

import pytest
import s3fs
from fsspec.implementations.local import LocalFileSystem

from face0.errors import StorageError
from face0.io import listing, storage
from face0.io.folder import Folder
from tests.fixtures.faults import faulty, injected

NAMES = [f"{folder}/{name}.tar" for folder in ("a", "b", "b/deep", "c") for name in ("1", "2")]


@pytest.fixture
def uri(tmp_path):
    for name in NAMES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"12")
    return faulty(tmp_path)


def test_no_folder_is_left_out(uri):
    for seed in range(20):
        with injected(rate=0.2, seed=seed):
            assert Folder(uri).files() == sorted(NAMES)
            assert Folder(uri).entries("b") == ["1.tar", "2.tar", "deep"]
            assert [file.uri for file in storage.expand(f"{uri}/**/*.tar")] == sorted(f"{uri}/{n}" for n in NAMES)
            assert [file.uri for file in storage.expand(f"{uri}/*/1.tar")] == [f"{uri}/{x}/1.tar" for x in "abc"]
            assert Folder(uri).exists("a/1.tar")
            assert Folder(uri).is_file("a/1.tar")
            assert not Folder(uri).exists("a/3.tar")
            assert storage.is_folder(uri)


def test_no_prefix_of_a_bucket_is_left_out(bucket, monkeypatch):
    """s3fs, too, passes over what it cannot list where a pattern has a depth."""
    for name in NAMES:
        Folder(f"{bucket}/listed").write_text(name, "12")
    listing_of, failed = s3fs.S3FileSystem._lsdir, []

    async def failing(self, path, *args, **options):
        if path.endswith(("/b", "listed")) and len(failed) < 2:
            failed.append(path)
            raise OSError("slow down")
        return await listing_of(self, path, *args, **options)

    monkeypatch.setattr(s3fs.S3FileSystem, "_lsdir", failing)
    for pattern, names in {"*/1.tar": ["a/1.tar", "b/1.tar", "c/1.tar"], "**/2.tar": NAMES[1::2]}.items():
        storage.filesystem(bucket)[0].invalidate_cache()
        failed.clear()
        with injected():
            found = storage.expand(f"{bucket}/listed/{pattern}")
        assert failed
        assert [file.uri for file in found] == sorted(f"{bucket}/listed/{name}" for name in names)


def test_what_cannot_be_listed_is_an_error_and_not_empty(uri):
    folder = Folder(uri)
    for ask in (folder.files, folder.entries, lambda: storage.expand(f"{uri}/*/*.tar")):
        with injected(always=("ls",)), pytest.raises(StorageError, match=r"listing .* failed 10 times"):
            ask()
    for ask in (lambda: folder.exists("a"), lambda: folder.is_folder, lambda: folder.remove("a/1.tar")):
        with injected(always=("info",)), pytest.raises(StorageError, match=r"looking at .* failed 10 times"):
            ask()
    assert folder.exists("a/1.tar")


def test_a_name_that_cannot_be_is_not_there(tmp_path):
    for name in ("x" * 300, "a\0b"):
        assert listing.kind(LocalFileSystem(), f"{tmp_path}/{name}") is None


def test_a_version_is_of_the_content_where_the_store_has_one(root):
    folder = Folder(root)
    folder.write_text("a.txt", "one")
    before = storage.look(folder.join("a.txt"))
    assert before == storage.look(folder.join("a.txt"))
    assert before.version == listing.version(folder.file_infos()["a.txt"])
    folder.write_text("a.txt", "two")
    after = storage.look(folder.join("a.txt"))
    assert (after.size, after.version != before.version) == (before.size, True)
    assert storage.look(folder.join("b.txt")) is None


@pytest.mark.parametrize(
    ("info", "version"),
    [
        ({"ETag": '"abc"', "LastModified": "now"}, "etag abc"),
        ({"generation": "17", "mtime": 3}, "generation 17"),
        ({"Last-Modified": "Sat, 01 Jan 2000 00:00:00 GMT"}, "last-modified Sat, 01 Jan 2000 00:00:00 GMT"),
        ({"mtime": 1.5, "created": 1.0}, "mtime 1.500000"),
        ({"size": 3}, ""),
        (None, ""),
    ],
)
def test_the_words_of_a_version(info, version):
    assert listing.version(info) == version
