"""A folder and its files by their names, on a disk, in memory and in an object store."""

import pickle

import pytest

from face0.errors import UsageError
from face0.io import storage
from face0.io.folder import Folder
from tests.fixtures.pictures import contents


@pytest.fixture
def folder(root: str) -> Folder:
    folder = Folder(root)
    for name in ("b.txt", "a.txt", "below/c.txt", "below/deep/d.txt"):
        folder.write_text(name, f"text of {name}")
    folder.drop_partial()
    return folder


def test_files_are_listed_read_and_removed_by_their_names(folder):
    assert folder.files() == ["a.txt", "b.txt", "below/c.txt", "below/deep/d.txt"]
    assert folder.files("below") == ["below/c.txt", "below/deep/d.txt"]
    assert folder.entries() == ["a.txt", "b.txt", "below"]
    assert folder.entries("below") == ["c.txt", "deep"]
    assert folder.read("below/c.txt") == b"text of below/c.txt"
    with folder.open("a.txt") as file:
        assert file.read() == b"text of a.txt"
    assert folder.file_infos()["a.txt"]["size"] == len("text of a.txt")
    folder.remove("a.txt")
    folder.remove("a.txt")
    folder.remove_folder("below")
    folder.remove_folder("below")
    assert folder.files() == ["b.txt"]


def test_it_tells_files_and_folders_apart(folder):
    assert folder.is_folder
    assert folder.exists("a.txt")
    assert folder.exists("below")
    assert not folder.exists("none")
    assert folder.is_file("a.txt")
    assert not folder.is_file("below")
    assert not folder.is_file()
    assert Folder(folder.join("a.txt")).is_file()
    assert not folder.folder("none").is_folder
    assert folder.folder("none").files() == folder.folder("none").entries() == []


def test_a_folder_in_it_has_the_same_files(folder):
    below = folder.folder("below")
    assert below.name == "below"
    assert below.files() == ["c.txt", "deep/d.txt"]
    assert below.uri == folder.join("below") == storage.join(folder.uri, "below")
    same, name = Folder.of_file(below.join("c.txt"))
    assert (same.read(name), name) == (b"text of below/c.txt", "c.txt")


def test_it_travels_to_workers(folder):
    copy = pickle.loads(pickle.dumps(folder))
    assert copy == folder
    assert copy.read("a.txt") == b"text of a.txt"


def test_it_comes_to_a_local_disk_without_some_of_its_folders(folder):
    with folder.local(without=("below",)) as local:
        assert (local / "a.txt").read_text() == "text of a.txt"
        assert folder.is_local or not (local / "below").exists()
    with folder.local() as local:
        assert (local / "below" / "deep" / "d.txt").read_text() == "text of below/deep/d.txt"
    if not folder.is_local:
        assert not local.exists()
    with pytest.raises(UsageError, match="none is no folder"), folder.folder("none").local():
        pass


def test_a_local_folder_is_put_into_it(root, tmp_path):
    (tmp_path / "model" / "unet").mkdir(parents=True)
    (tmp_path / "model" / "unet" / "config.json").write_text("{}")
    Folder(root).put(tmp_path / "model", "step-1")
    assert contents(root) == {"step-1/unet/config.json": b"{}"}


@pytest.mark.parametrize("name", ["a[1]", "a*", "a::b", "a://b", "ä b"])
def test_a_local_folder_of_any_name_is_its_own_and_no_pattern(tmp_path, name):
    (tmp_path / "a1").mkdir()
    (tmp_path / "a1" / "other.txt").write_text("other")
    folder = Folder(str(tmp_path / name))
    folder.write_text("x[1].txt", "text")
    folder.drop_partial()
    assert folder.files() == folder.entries() == ["x[1].txt"]
    assert folder.read("x[1].txt") == b"text"


def test_the_root_of_a_disk_is_a_folder():
    assert Folder.of_file("/face0.parquet") == (Folder("/"), "face0.parquet")
    assert Folder("/").join("a") == "/a"
    assert "tmp" in Folder("/").entries()
